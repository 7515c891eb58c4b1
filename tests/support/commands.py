"""The command line, called as a function."""

import pytest

from tracer import cli


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Exit code and the one line."""
    code = cli.main(words)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("tracer: ")
    assert err.count("\n") == 1
    return code, err.removeprefix("tracer: ").removesuffix("\n")
