"""Eager tasks run as soon as they are created, by anybody, and have all of their states."""

import asyncio
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Recorder
from tests.support.recordings import record_here, task_of, tasks_of, wakers
from tests.support.validator.rules import Summary, TaskSummary, validate
from viewer.analysis.report import build_report
from viewer.analysis.tasks import By, TaskRow
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

Coro = Coroutine[Any, Any, Any]
PyTask: Any = asyncio.tasks._PyTask  # type: ignore[attr-defined]


class Plain(asyncio.Task[Any]):
    """Has its type's __init__."""


class Named(asyncio.Task[Any]):
    """Calls its type's __init__ through super()."""

    def __init__(self, coro: Coro, **rest: Any) -> None:
        super().__init__(coro, **rest | {"name": "mine"})


def make(kind: Any, coro: Coro) -> Awaitable[Any]:
    task: Awaitable[Any] = kind(coro, loop=asyncio.get_running_loop(), eager_start=True)
    return task


async def by_type(coro: Coro) -> None:
    await make(asyncio.Task, coro)


async def by_subclass(coro: Coro) -> None:
    await make(Plain, coro)


async def by_a_subclass_made_meanwhile(coro: Coro) -> None:
    await make(type("Late", (Plain,), {}), coro)


async def by_super(coro: Coro) -> None:
    await make(Named, coro)


async def by_python(coro: Coro) -> None:
    await make(PyTask, coro)


async def by_factory(coro: Coro) -> None:
    await asyncio.eager_task_factory(asyncio.get_running_loop(), coro)


async def by_own_factory(coro: Coro) -> None:
    factory = asyncio.create_eager_task_factory(Named)
    await factory(asyncio.get_running_loop(), coro)


async def by_group(coro: Coro) -> None:
    loop = asyncio.get_running_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    async with asyncio.TaskGroup() as group:
        group.create_task(coro)
    loop.set_task_factory(None)


WAYS = (
    by_type,
    by_subclass,
    by_a_subclass_made_meanwhile,
    by_super,
    by_python,
    by_factory,
    by_own_factory,
    by_group,
)
TWO_AWAITS = ["running", "await sleep", "ready", "running", "await Event", "ready", "running"]


@pytest.mark.parametrize("way", WAYS)
def test_every_state_of_it(tmp_path: Path, way: Callable[[Coro], Coro]) -> None:
    """The first await is recorded too, and its waker; the creator is the parent."""

    async def handle() -> None:
        await asyncio.sleep(0.001)
        done = asyncio.Event()
        asyncio.get_running_loop().call_later(0.001, done.set)
        await done.wait()

    async def main() -> None:
        await way(handle())

    summary, _ = record_here(lambda: asyncio.run(main()), tmp_path / "t.pftrace")
    task, creator = task_of(summary, "handle"), task_of(summary, "main")
    assert (task.states, task.end) == (TWO_AWAITS, "done")
    assert task.slices[0].args["parent"] == creator.id
    assert [waker["waker"] for waker in wakers(task)] == ["timer", "timer"]
    assert task.slices[0].begin.ends_flows


def test_made_by_a_callback(tmp_path: Path) -> None:
    """A server's protocol does this for each connection. The task has no parent."""

    async def handle(done: "asyncio.Future[None]") -> None:
        await asyncio.sleep(0.001)
        done.set_result(None)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        kept: list[object] = []
        loop.call_soon(lambda: kept.append(make(asyncio.Task, handle(done))))
        await done

    summary, _ = record_here(lambda: asyncio.run(main()), tmp_path / "t.pftrace")
    task = task_of(summary, "handle")
    assert task.states == ["running", "await sleep", "ready", "running"]
    assert "parent" not in task.slices[0].args


@pytest.mark.parametrize("inner", [asyncio.Task, PyTask], ids=["C", "Python"])
@pytest.mark.parametrize("outer", [asyncio.Task, PyTask], ids=["C", "Python"])
def test_inside_each_other(tmp_path: Path, outer: Any, inner: Any) -> None:
    """Three first steps at once are not confused: each task has its own states."""

    async def innermost() -> int:
        await asyncio.sleep(0)
        return 3

    async def middle() -> Any:
        return await make(inner, innermost())

    async def outermost() -> Any:
        return await make(outer, middle())

    async def main() -> Any:
        return await make(inner, outermost())

    summary, _ = record_here(lambda: asyncio.run(main()), tmp_path / "t.pftrace")
    found = {name: task_of(summary, name) for name in ("innermost", "middle", "outermost")}
    assert found["innermost"].states == ["running", "ready", "running"]
    for name in ("middle", "outermost"):
        (first, second, *rest) = found[name].states
        assert first == "running"
        assert second.startswith("await task ")
        assert rest == ["ready", "running"]
    assert all(task.end == "done" for task in found.values())
    assert "task" not in {task.coro for task in summary.tasks.values()}  # nobody nameless


def test_a_first_step_that_waits_for_nothing(tmp_path: Path) -> None:
    async def at_once() -> int:
        return 1

    async def main() -> None:
        for kind in (asyncio.Task, PyTask):
            assert await make(kind, at_once()) == 1

    summary, _ = record_here(lambda: asyncio.run(main()), tmp_path / "t.pftrace")
    for task in tasks_of(summary, "at_once"):
        assert (task.states, task.end) == (["running"], "done")


LEAVES = """
import asyncio, sys

async def leaves():
    raise SystemExit(0)

async def middle():
    try:
        make(leaves())
    except SystemExit:
        pass
    await asyncio.sleep(0)

def make(coro):
    kind = asyncio.Task if sys.argv[1] == "C" else asyncio.tasks._PyTask
    task = kind(coro, loop=asyncio.get_running_loop(), eager_start=True)
    task.add_done_callback(lambda task: task.cancelled() or task.exception())
    return task

async def main():
    await make(middle())
    try:
        asyncio.Task("no coroutine", eager_start=True)
    except TypeError as error:
        print(error)

asyncio.run(main())
"""


@pytest.mark.parametrize("kind", ["C", "Python"])
def test_a_first_step_that_raises_through_its_creator(record: Recorder, kind: str) -> None:
    """A step that SystemExit leaves is over; the steps around it go on."""
    summary = validate(record(LEAVES, kind).read_bytes())
    assert record.stdout == "a coroutine was expected, got 'no coroutine'\n"
    leaves, middle = task_of(summary, "leaves"), task_of(summary, "middle")
    assert (leaves.states, leaves.end) == (["running"], "failed: SystemExit")
    assert (middle.states, middle.end) == (["running", "ready", "running"], "done")
    assert task_of(summary, "main").end == "done"


@pytest.mark.skipif(
    sys.version_info >= (3, 14),
    reason="3.14 refuses an eager task of a loop that runs elsewhere",
)
def test_for_a_loop_of_another_thread(tmp_path: Path) -> None:
    """It begins here, against asyncio's rules. The trace shows it from its first await on."""
    running, done = threading.Event(), threading.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        running.set()
        while not done.is_set():
            await asyncio.sleep(0.001)

    async def handle(answer: "asyncio.Future[None]") -> None:
        await answer

    def work() -> None:
        thread = threading.Thread(target=asyncio.run, args=(serve(),))
        thread.start()
        running.wait()
        answer = loops[0].create_future()
        task = asyncio.Task(handle(answer), loop=loops[0], eager_start=True)
        loops[0].call_soon_threadsafe(answer.set_result, None)
        while not task.done():
            time.sleep(0)
        done.set()
        thread.join()

    summary, _ = record_here(work, tmp_path / "t.pftrace")
    task = task_of(summary, "handle")
    assert (task.states, task.end) == (["await future", "ready", "running"], "done")


def test_types_are_as_before_after_the_recording(tmp_path: Path) -> None:
    """A subclass created meanwhile still works."""
    before = asyncio.Task.__init__
    made: list[Any] = []

    async def main() -> None:
        made.append(type("Made", (asyncio.Task,), {}))

    record_here(lambda: asyncio.run(main()), tmp_path / "t.pftrace")

    async def after() -> Any:
        return await make(made[0], asyncio.sleep(0, "result"))

    assert asyncio.run(after()) == "result"
    assert asyncio.Task.__init__ is before
    summary, _ = record_here(lambda: asyncio.run(after()), tmp_path / "u.pftrace")
    assert task_of(summary, "sleep").states == ["running", "ready", "running"]


def row_of(path: Path, coro: str) -> TaskRow:
    rows = build_report(build_model(read_trace(path)), By.CORO).tasks
    (row,) = (row for row in rows if row.coro.endswith(coro))
    return row


def own_ns(summary: Summary, task: TaskSummary, *inside: TaskSummary) -> int:
    def lasted(of: TaskSummary) -> int:
        return sum((e.end_ns or 0) - e.start_ns for e in of.slices if e.name == "running")

    return lasted(task) - sum((e.slices[0].end_ns or 0) - e.slices[0].start_ns for e in inside)


def test_the_time_of_its_first_step_is_its_own(tmp_path: Path) -> None:
    """It is not counted for its creator too: the table counts each moment of the loop once."""

    async def handle() -> None:
        sum(range(100_000))
        await asyncio.sleep(0)

    async def start() -> None:
        await make(asyncio.Task, handle())
        await make(PyTask, handle())

    path = tmp_path / "t.pftrace"
    summary, _ = record_here(lambda: asyncio.run(start()), path)
    creator, handles = task_of(summary, "start"), tasks_of(summary, "handle")
    assert row_of(path, "start").running.total_ns == own_ns(summary, creator, *handles)
    assert row_of(path, "handle").running.total_ns == sum(own_ns(summary, e) for e in handles)
