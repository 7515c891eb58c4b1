"""What the integration tests share: a function recorded through the program's own API."""

from collections.abc import Callable
from pathlib import Path

import pytest

import tracer
from tests.support.validator.rules import Summary, validate

TASKS = ("tasks", "threads")


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[..., Summary]:
    """Runs a function under a recording and returns what the trace says."""

    def record(function: Callable[[], object], signals: tuple[str, ...] = TASKS) -> Summary:
        path = tmp_path / "here.pftrace"
        with tracer.recording(path, signals=signals):
            function()
        return validate(path.read_bytes())

    return record
