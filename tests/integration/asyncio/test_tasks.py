"""The life of tasks on every kind of loop: who created them, and how they ended."""

import asyncio
import gc
import time
from pathlib import Path

import pytest

import tracer
from tests.conftest import Recorder
from tests.support.recordings import record_here, record_main, task_of, tasks_of, wakers
from tests.support.validator.rules import validate


def test_parent(tmp_path: Path) -> None:
    """A task knows which task created it; the first one has no parent."""

    async def child() -> None: ...

    async def main() -> None:
        await asyncio.create_task(child())

    summary = record_main(main, tmp_path)
    main_task, child_task = task_of(summary, "main"), task_of(summary, "child")
    assert child_task.slices[0].begin.args["parent"] == main_task.id
    assert "parent" not in main_task.slices[0].begin.args


def test_outcomes(tmp_path: Path) -> None:
    """A task ends as done, cancelled, or failed with the exception's class."""

    async def fine() -> None: ...

    async def stuck() -> None:
        await asyncio.Event().wait()

    async def broken() -> None:
        raise ValueError("no")

    async def main() -> None:
        tasks = [asyncio.create_task(f()) for f in (fine, stuck, broken)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    summary = record_main(main, tmp_path)
    ends = {task.coro.split(".")[-1]: task.end for task in summary.tasks.values()}
    assert ends["fine"] == "done"
    assert ends["stuck"] == "cancelled"
    assert ends["broken"] == "failed: ValueError"


def test_destroyed(tmp_path: Path) -> None:
    """A pending task that nobody holds is collected, and the trace says so."""

    async def forgotten() -> None:
        await asyncio.get_running_loop().create_future()

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        asyncio.create_task(forgotten())  # noqa: RUF006
        await asyncio.sleep(0)
        gc.collect()

    assert task_of(record_main(main, tmp_path), "forgotten").end == "destroyed"


def test_names(tmp_path: Path) -> None:
    """A name is given at creation, set at once (3.12 does so itself), or changed later."""

    async def child() -> None:
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        task.set_name("changed")
        await asyncio.sleep(0)

    async def main() -> None:
        first = asyncio.create_task(child(), name="given")
        second = asyncio.create_task(child())
        second.set_name("set")
        await asyncio.gather(first, second)

    tasks = tasks_of(record_main(main, tmp_path), "child")
    names = [
        [each.begin.args["name"] for each in task.slices if "name" in each.begin.args]
        for task in tasks
    ]
    assert names == [["given", "changed"], ["set", "changed"]]
    assert [task.name for task in tasks] == ["changed", "changed"]


def test_eager_tasks(tmp_path: Path) -> None:
    """They run inside their creator's step; those that block go on like others."""

    async def at_once() -> None: ...

    async def later() -> None:
        await asyncio.sleep(0)

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        await asyncio.gather(asyncio.create_task(at_once()), asyncio.create_task(later()))

    summary = record_main(main, tmp_path)
    assert task_of(summary, "at_once").states == ["running"]
    assert task_of(summary, "at_once").end == "done"
    assert task_of(summary, "later").states == ["running", "ready", "running"]
    assert (
        task_of(summary, "later").slices[0].begin.args["parent"] == task_of(summary, "main").id
    )


def test_eager_tasks_nest(tmp_path: Path) -> None:
    """Each creates the next one within its own first step."""

    async def nest(depth: int) -> None:
        if depth:
            await asyncio.create_task(nest(depth - 1))
        else:
            await asyncio.sleep(0.001)

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        await asyncio.create_task(nest(5))

    tasks = tasks_of(record_main(main, tmp_path), "nest")
    assert len(tasks) == 6
    parents = [task.slices[0].begin.args["parent"] for task in tasks[1:]]
    assert parents == [task.id for task in tasks[:-1]]


def test_eager_task_of_a_creator_whose_slice_is_written(tmp_path: Path) -> None:
    """It still has its arrow: from a `wake` on the thread if the slice can get none."""

    async def at_once() -> None: ...

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        for _ in range(1000):  # more than is kept open for arrows
            tracer.log("something that is longer than nothing")
        await asyncio.create_task(at_once())

    summary = record_main(main, tmp_path)
    assert len(task_of(summary, "at_once").slices[0].begin.ends_flows) == 1


def test_steps_cancelled_before_they_ran(tmp_path: Path) -> None:
    """A task cancelled before its first step is ready, runs, and is cancelled."""

    async def never() -> None: ...

    async def main() -> None:
        task = asyncio.create_task(never())
        task.cancel()
        await asyncio.wait([task])

    task = task_of(record_main(main, tmp_path), "never")
    assert (task.states, task.end) == (["ready", "running"], "cancelled")


def test_custom_task_class(tmp_path: Path) -> None:
    """A task factory may use a subclass of Task."""

    class MyTask(asyncio.Task):  # type: ignore[type-arg]
        pass

    async def child() -> None:
        await asyncio.sleep(0)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(lambda loop, coro, **more: MyTask(coro, loop=loop, **more))
        await asyncio.create_task(child())

    assert task_of(record_main(main, tmp_path), "child").end == "done"


@pytest.mark.stress
def test_many_short_tasks(tmp_path: Path) -> None:
    """All of 100,000 tasks are there, with unique ids, on few lanes; nothing is dropped."""

    async def short() -> None: ...

    async def main() -> None:
        for _ in range(1000):
            async with asyncio.TaskGroup() as group:
                for _ in range(100):
                    group.create_task(short())

    summary, totals = record_here(lambda: asyncio.run(main()), tmp_path / "t.pftrace")
    tasks = tasks_of(summary, "short")
    assert len(tasks) == 100_000
    assert totals.dropped == 0
    assert {task.end for task in tasks} == {"done"}
    assert len({task.track for task in tasks}) <= 256 + 100


def test_ids_are_never_reused(tmp_path: Path) -> None:
    """Neither within a recording nor in the next one of the same process."""

    async def main() -> None:
        await asyncio.create_task(asyncio.sleep(0))

    seen: list[int] = []
    for number in range(3):
        path = tmp_path / f"{number}.pftrace"
        summary, _ = record_here(lambda: asyncio.run(main()), path)
        seen += [id_ for _, id_ in summary.tasks]
    assert len(set(seen)) == len(seen)


PURE_PYTHON = """
import sys
sys.modules["_asyncio"] = None
import asyncio

async def child(event):
    await event.wait()

async def main():
    event = asyncio.Event()
    task = asyncio.create_task(child(event))
    await asyncio.sleep(0)
    task.set_name("renamed")
    event.set()
    await task
    await asyncio.sleep(0.001)

assert asyncio.Task.__module__ == "asyncio.tasks"
asyncio.run(main())
"""


def test_pure_python_asyncio(record: Recorder) -> None:
    """Without the C accelerator, states, names and wakers are the same."""
    summary = validate(record(PURE_PYTHON).read_bytes())
    child, main = task_of(summary, "child"), task_of(summary, "main")
    assert child.states == ["ready", "running", "await Event", "ready", "running"]
    assert wakers(child) == [{"waker_task": main.id}] * 2
    assert [e.begin.args["name"] for e in child.slices if "name" in e.begin.args][
        -1
    ] == "renamed"
    assert main.states[-3:] == ["await sleep", "ready", "running"]
    assert {task.end for task in summary.tasks.values()} == {"done"}


def test_ready_includes_being_late(tmp_path: Path) -> None:
    """A sleeper whose timer fell due while another task held the loop waited all that time."""
    held: list[int] = []

    async def sleeper() -> None:
        await asyncio.sleep(0.005)

    async def hog() -> None:
        await asyncio.sleep(0)
        start_ns = time.monotonic_ns()
        while time.monotonic_ns() < start_ns + 40_000_000:
            pass
        held.append(time.monotonic_ns())

    async def main() -> None:
        await asyncio.gather(sleeper(), hog())

    task = task_of(record_main(main, tmp_path), "sleeper")
    ready = [each for each in task.slices if each.begin.name == "ready"][-1]
    assert ready.end_ns is not None
    assert ready.begin.time_ns < held[0] - 30_000_000
    assert ready.end_ns >= held[0]


def test_both_accelerators_are_off_without_tasks(record: Recorder) -> None:
    """With --no-tasks the program runs, and no task is in the trace."""
    summary = validate(
        record(
            "import asyncio; asyncio.run(asyncio.sleep(0))", options=("--no-tasks",)
        ).read_bytes()
    )
    assert not summary.tasks


def test_the_c_module_is_imported_first(record: Recorder) -> None:
    """Then asyncio is complete before the C module, which must not be used until it is."""
    source = "import _asyncio, asyncio; asyncio.run(asyncio.sleep(0))"
    assert task_of(validate(record(source).read_bytes()), "sleep").end == "done"
