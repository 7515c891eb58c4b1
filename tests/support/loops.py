"""The event loops that have to show the same: each test that takes `new_loop` runs on all."""

import asyncio
import importlib.util
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.support.recordings import record_here
from tests.support.validator.rules import Summary

type NewLoop = Callable[[], asyncio.AbstractEventLoop]

NO_UVLOOP = "needs uvloop: `uv sync --all-groups` installs it where it has a wheel"
needs_uvloop = pytest.mark.skipif(importlib.util.find_spec("uvloop") is None, reason=NO_UVLOOP)
on_every_loop = pytest.mark.parametrize(
    "new_loop",
    [
        pytest.param(asyncio.new_event_loop, id="asyncio"),
        pytest.param(lambda: new_uvloop(), id="uvloop", marks=needs_uvloop),
    ],
)


def new_uvloop() -> asyncio.AbstractEventLoop:
    import uvloop

    return uvloop.new_event_loop()


def record_on(
    new_loop: NewLoop, main: Callable[[], Coroutine[Any, Any, object]], directory: Path
) -> Summary:
    """Runs a coroutine function on such a loop under a recording."""

    def run() -> None:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(main())

    return record_here(run, directory / "t.pftrace")[0]
