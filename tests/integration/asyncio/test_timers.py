"""How many timers a loop has, and how often the program cancels its own."""

import asyncio
import dis
import functools
import itertools
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from tests.support.recordings import record_here
from tests.support.validator.strict import read_strict
from tracer import schema as s

HERE = f"{__file__}:"


def expire(*_: object) -> None: ...


Main = Callable[[], Coroutine[Any, Any, None]]


def counters(main: Main, path: Path) -> dict[str, list[int]]:
    """By name the values of the counters of timers."""
    record_here(lambda: asyncio.run(main()), path)
    trace = read_strict(path.read_bytes())
    found: dict[str, list[int]] = {}
    for event in trace.events:
        name = trace.tracks[event.track].name
        if name.startswith("timers ") and event.counter is not None:
            found.setdefault(name, []).append(event.counter)
    return found


def later(callback: Callable[..., None], n: int) -> None:
    asyncio.get_running_loop().call_later(600, callback, n)


async def piled() -> None:
    for n in range(400):
        later(expire, n)
    await asyncio.sleep(0.11)  # the recorder looks ten times a second
    later(functools.partial(expire), 1)


async def few() -> None:
    loop = asyncio.get_running_loop()
    for n in range(200):
        loop.call_later(600, expire, n)
    await asyncio.sleep(0.11)
    loop.call_later(600, expire)


async def guarded() -> None:
    """Each is cancelled when it has done its work, so only few wait at any moment."""
    for _ in range(400):
        async with asyncio.timeout(600):
            await asyncio.sleep(0)
    await asyncio.sleep(0.11)
    asyncio.get_running_loop().call_later(600, expire)


def test_timers_that_wait(tmp_path: Path) -> None:
    ((name, values),) = counters(piled, tmp_path / "t.pftrace").items()
    line = later.__code__.co_firstlineno + 1
    assert name.endswith(f" expire {HERE}{line} later")
    assert name.startswith(s.TIMERS_PENDING_PREFIX)
    assert values[-1] == 400


@pytest.mark.parametrize("main", [few, guarded])
def test_few_wait(main: Main, tmp_path: Path) -> None:
    assert not counters(main, tmp_path / "t.pftrace")


def instrumented(code: CodeType, before: int = sys.maxsize) -> list[str]:
    """Instructions, up to that line, at which the interpreter stops to tell somebody."""
    earlier = itertools.takewhile(
        lambda at: not at.positions or at.positions.lineno != before,
        dis.get_instructions(code, adaptive=True),
    )
    names = [instruction.opname for instruction in earlier]
    assert names
    return [name for name in names if name.startswith("INSTRUMENTED_")]


def test_a_sleep_is_not_told_of(tmp_path: Path) -> None:
    """Nearly every program sleeps, and few have many timers or cancel them."""
    set_at, cancelled = (
        function.__code__
        for function in (
            asyncio.BaseEventLoop.call_at,
            asyncio.BaseEventLoop._timer_handle_cancelled,  # type: ignore[attr-defined]
        )
    )
    last = max(line or 0 for *_, line in cancelled.co_lines())
    found: list[list[str]] = []

    async def sleeps() -> None:
        for _ in range(3):
            await asyncio.sleep(0.001)
        found.append(instrumented(set_at))
        found.append(instrumented(cancelled, last))

    record_here(lambda: asyncio.run(sleeps()), tmp_path / "t.pftrace")
    assert found == [[], []]


async def debounced(times: int) -> None:
    timer = None
    for _ in range(times):
        if timer:
            timer.cancel()
            timer.cancel()  # which changes nothing
        timer = asyncio.get_running_loop().call_later(600, expire)


async def run_out() -> None:
    """They have called back when they are cancelled."""
    loop = asyncio.get_running_loop()
    timers = [loop.call_later(0, expire) for _ in range(9)]
    await asyncio.sleep(0.001)
    for timer in timers:
        timer.cancel()


def test_timers_that_are_cancelled(tmp_path: Path) -> None:
    found = counters(lambda: debounced(6), tmp_path / "t.pftrace")
    line = debounced.__code__.co_firstlineno + 4
    assert found == {f"{s.TIMERS_CANCELLED_PREFIX}0 expire {HERE}{line} debounced": [5]}


@pytest.mark.parametrize("main", [lambda: debounced(5), run_out, guarded])
def test_none_that_says_anything(main: Main, tmp_path: Path) -> None:
    assert not counters(main, tmp_path / "t.pftrace")


FORKS = """
import asyncio, os, time

def expire(): ...

async def cancels(times):
    loop = asyncio.get_running_loop()
    for _ in range(times):
        loop.call_later(600, expire).cancel()

asyncio.run(cancels(5))
if not (child := os.fork()):
    time.sleep(0.11)  # by then the counter could be told again
    asyncio.run(cancels(2))
    os._exit(0)
os.waitpid(child, 0)
"""


def test_a_child_counts_its_own(tmp_path: Path) -> None:
    """What its parent had cancelled before it forked is not the child's."""
    path = tmp_path / "t.pftrace"
    program = tmp_path / "forks.py"
    program.write_text(FORKS)
    subprocess.run(
        [sys.executable, "-m", "tracer", "run", "-o", path, program], check=True, timeout=60
    )
    trace = read_strict(path.read_bytes())
    told = [
        event.counter
        for event in trace.events
        if trace.tracks[event.track].name.startswith(s.TIMERS_CANCELLED_PREFIX)
    ]
    assert told == [5]
