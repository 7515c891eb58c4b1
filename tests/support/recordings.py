"""Records a function in this process and returns what the validated trace says."""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from tests.support.validator.rules import Summary, TaskSummary, validate
from tests.support.validator.slices import Slice
from tests.support.validator.user import Said
from tracer.recorder import SIGNALS, Options, Recording
from tracer.totals import Totals


def record_here(
    function: Callable[[], object],
    path: Path,
    *,
    signals: tuple[str, ...] = tuple(SIGNALS),
    buffer_bytes: int = 64 << 20,
    cpu_hz: int = 100,
    heap_rate: int = 512 << 10,
    follow: bool = True,
) -> tuple[Summary, Totals]:
    """Runs the function under a recording; what it raises is raised after the recording."""
    options = Options(
        *(str(path), buffer_bytes, signals, ("test",), True, cpu_hz),
        heap_rate=heap_rate,
        follow=follow,
    )
    recording = Recording(options)
    recording.start()
    try:
        function()
    finally:
        totals = recording.stop()
    assert totals is not None
    return validate(path.read_bytes()), totals


def record_main(main: Callable[[], Coroutine[Any, Any, object]], directory: Path) -> Summary:
    """Runs a coroutine function in a loop of its own under a recording."""
    return record_here(lambda: asyncio.run(main()), directory / "t.pftrace")[0]


def join_to_the_end(thread: threading.Thread) -> None:
    """Until the kernel has seen the last of it: on 3.12 join() returns while the thread still
    leaves, and it says `exited` as the last thing it does."""
    thread.join()
    while os.path.exists(f"/proc/self/task/{thread.native_id}"):
        time.sleep(0)


def names(found: list[Said]) -> list[str]:
    """Of regions or logs, in order of begin."""
    return [said.name for said in found]


def tasks_of(summary: Summary, coro: str) -> list[TaskSummary]:
    """The tasks whose coroutine function's name ends so, by id."""
    return [
        task for _, task in sorted(summary.tasks.items()) if task.coro.split(".")[-1] == coro
    ]


def task_of(summary: Summary, coro: str) -> TaskSummary:
    (task,) = tasks_of(summary, coro)
    return task


def states_of(task: TaskSummary, name: str) -> list[Slice]:
    """Its slices of this name, in order."""
    return [each for each in task.slices if each.name == name]


def steps_of(summary: Summary, coro: str) -> int:
    """How often the tasks of this coroutine function ran."""
    return sum(task.states.count("running") for task in tasks_of(summary, coro))


def wakers(task: TaskSummary) -> list[dict[str, int | str]]:
    """Who made the task ready, once per `ready` slice that says so."""
    wanted = ("waker", "waker_task", "waker_thread")
    found = [
        {name: value for name, value in each.begin.args.items() if name in wanted}
        for each in task.slices
        if each.begin.name == "ready"
    ]
    return [waker for waker in found if waker]


def assert_victim_waited(summary: Summary, blocked: list[int]) -> None:
    """The task `blocker` woke `victim`, then blocked their loop from `blocked[0]` to
    `blocked[1]`, in ns: until then the victim was ready."""
    victim, blocker = task_of(summary, "victim"), task_of(summary, "blocker")
    assert victim.states == ["ready", "running", "await Event", "ready", "running"]
    assert wakers(victim)[-1] == {"waker_task": blocker.id}
    late = states_of(victim, "ready")[1]
    (ran,) = states_of(blocker, "running")
    assert late.begin.time_ns <= blocked[0]
    assert late.end_ns is not None
    assert late.end_ns >= blocked[1]
    assert ran.begin.time_ns <= late.begin.time_ns
    assert ran.end_ns is not None
    assert blocked[1] <= ran.end_ns <= late.end_ns
