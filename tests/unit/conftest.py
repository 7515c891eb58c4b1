"""What every unit test gets: text as wide as where there is no terminal."""

import pytest


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it depends on `COLUMNS` and on what the tests run in, such as a worker of xdist."""
    monkeypatch.setenv("COLUMNS", "100")
