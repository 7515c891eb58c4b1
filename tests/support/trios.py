"""trio and anyio: a coroutine function under a recording, on each library that runs it."""

import importlib
import importlib.util
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.recordings import record_here
from tests.support.validator.rules import Summary

type Main = Callable[[], Coroutine[Any, Any, object]]


def _needs(module: str) -> pytest.MarkDecorator:
    reason = f"needs {module}: `uv sync --all-groups` installs it where it has a wheel"
    return pytest.mark.skipif(importlib.util.find_spec(module) is None, reason=reason)


needs_trio = _needs("trio")
needs_anyio = _needs("anyio")


@contextmanager
def no_idle_threads() -> Iterator[None]:
    """trio's worker threads end soon: they would stay for 10 s."""
    cache: Any = importlib.import_module("trio._core._thread_cache")
    before, cache.IDLE_TIMEOUT = cache.IDLE_TIMEOUT, 0.03
    there = set(threading.enumerate())
    try:
        yield
        for thread in set(threading.enumerate()) - there:
            thread.join()
    finally:
        cache.IDLE_TIMEOUT = before


def record_trio(main: Main, directory: Path) -> Summary:
    """Runs a coroutine function by trio.run under a recording."""
    import trio

    with no_idle_threads():
        return record_here(lambda: trio.run(main), directory / "t.pftrace")[0]


def record_anyio(backend: str, main: Main, directory: Path) -> Summary:
    """Runs a coroutine function by anyio.run under a recording."""
    import anyio

    with no_idle_threads():
        return record_here(lambda: anyio.run(main, backend=backend), directory / "t.pftrace")[
            0
        ]
