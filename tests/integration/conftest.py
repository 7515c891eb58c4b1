"""What the integration tests share: a function recorded through the program's own API, and
room for descriptors."""

import resource
from collections.abc import Callable, Iterator
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


@pytest.fixture
def room() -> Iterator[None]:
    """There are numbers of descriptors above those that a program can have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= hard < 4000:
        pytest.skip("there are too few descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1024), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
