"""Where a thread is, for whoever is told of a slow moment: the line that counts."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tracer import _core
from tracer.flight_recorder.rings import Flight

PACKAGE = """
def block(entered, leave): entered.set(), leave.wait()
async def handle(entered, leave): entered.set(), leave.wait()
"""
package: dict[str, Any] = {}
exec(compile(PACKAGE, "/venv/lib/python3/site-packages/package.py", "exec"), package)


def call_package(*events: threading.Event) -> None:
    package["block"](*events)


def run_package(*events: threading.Event) -> None:
    asyncio.run(package["handle"](*events))


@pytest.mark.parametrize(
    ("run", "function"), [(call_package, "call_package"), (run_package, "handle")]
)
def test_where_a_thread_is(run: Callable[..., None], function: str) -> None:
    """The innermost line of the program, but not the one that runs the loop."""
    entered, leave = threading.Event(), threading.Event()
    thread = threading.Thread(target=run, args=(entered, leave))
    thread.start()
    try:
        entered.wait()
        site, lines = Flight.place_of(_core, thread.ident or 0, 64)
    finally:
        leave.set()
        thread.join()
    assert site.rpartition(" ")[2] == function
    assert site in lines.splitlines()
