"""Waits have stacks: of the waiter, of whoever ended the wait, and of the lock's owner."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Recorder
from tests.support.validator.strict import Event, read_strict
from tracer import schema as s
from viewer.commands.profiles import profile_of

TASKS = """\
import asyncio
async def main():
    event = asyncio.Event()
    def give():
        event.set()
    async def inner():
        await event.wait()
    async def waiter():
        await inner()
    task = asyncio.create_task(waiter(), name="waiter")
    await asyncio.sleep(0)
    give()
    await task
asyncio.run(main())
"""
THREADS = """\
import threading, time
lock = threading.Lock()
def work():
    until = time.thread_time() + 0.2
    while time.thread_time() < until:
        pass
def outer():
    with lock:
        started.set()
        work()
started = threading.Event()
thread = threading.Thread(target=outer)
thread.start()
started.wait()
with lock:
    pass
thread.join()
"""


def begins(trace: Path, name: str) -> list[Event]:
    events = read_strict(trace.read_bytes()).events
    return [
        event for event in events if event.name == name and event.type == s.TYPE_SLICE_BEGIN
    ]


def functions(stack: object) -> list[str]:
    """The program's own lines of a stack, innermost first: "5 main"."""
    assert isinstance(stack, str)
    own = [line for line in stack.split("\n") if "program0.py:" in line]
    return [line.partition("program0.py:")[2] for line in own]


def test_task_waits(record: Recorder) -> None:
    """The stacks show where a task awaits, and where it was made ready."""
    trace = record(TASKS)
    (wait,) = begins(trace, "await Event")
    stack = str(wait.args["stack"])
    assert stack.split("\n")[0].endswith("Event.wait")
    assert functions(stack) == ["7 main.<locals>.inner", "9 main.<locals>.waiter"]
    woken = [
        functions(event.args["stack"])
        for event in begins(trace, s.READY)
        if "stack" in event.args
    ]
    assert ["5 main.<locals>.give", "12 main"] in woken  # without the loop around it
    assert ["10 main"] in woken
    assert ["14 <module>"] in woken
    sched = profile_of(trace, "sched")
    assert ("asyncio.locks.Event.set", "program0.main.<locals>.give", "program0.main") in {
        tuple(place.function for place in sample.frames) for sample in sched.samples
    }
    block = profile_of(trace, "block")
    assert {place.line for sample in block.samples for place in sample.frames} >= {7, 9}


@pytest.mark.parametrize("options", [(), ("--no-gil",)], ids=["gil", "no gil"])
def test_thread_waits(record: Recorder, options: tuple[str, ...]) -> None:
    """The stacks show the lock's owner with its callers, and where the waiter waited."""
    trace = record(THREADS, options=options)
    (waited,) = (
        sample
        for sample in profile_of(trace, "block").samples
        if dict(sample.labels)["kind"] == "Lock"
    )
    assert [(place.function, place.line) for place in waited.frames] == [
        ("program0.<module>", 15)
    ]
    had = profile_of(trace, "mutex").samples[0]
    assert [place.function for place in had.frames][:2] == [
        "program0.outer",
        "threading.Thread.run",
    ]
    assert had.frames[0].line == 8


def test_gil_waits(record: Recorder) -> None:
    """The stack shows where a thread was when it had to wait for the GIL."""
    source = THREADS.partition("started =")[0] + (
        "threads = [threading.Thread(target=work) for _ in range(2)]\n"
        "for each in threads: each.start()\nfor each in threads: each.join()\n"
    )
    trace = record(source)
    samples = profile_of(trace, "wall").samples
    waits = [sample for sample in samples if dict(sample.labels)["state"] == s.CAT_GIL]
    assert "program0.work" in {sample.frames[0].function for sample in waits}
