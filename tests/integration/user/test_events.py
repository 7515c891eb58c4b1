"""Regions, tasks, logs and counters of real programs: on whose track, and how nested."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

import tracer
from tests.support.recordings import names, task_of, tasks_of
from tests.support.trace_processor import import_errors, open_trace
from tracer import schema as s


def test_regions_nest(recorded) -> None:
    def work() -> None:
        with tracer.region("outer", rows=5), tracer.region("inner"):
            tracer.log("half way", part=0.5)

    user = recorded(work).user
    outer, inner = user.regions
    assert (outer.name, outer.depth, outer.args) == ("outer", 0, {"rows": 5})
    assert (inner.name, inner.depth, inner.tid) == ("inner", 1, threading.get_native_id())
    (log,) = user.logs
    assert log.name == "half way"
    assert inner.start_ns <= log.start_ns <= (inner.end_ns or 0)


def test_interleaved_tasks(recorded) -> None:
    """Each task has its own track: regions overlap in time and nest for each."""

    async def one(number: int, entered: list[asyncio.Event]) -> None:
        async with tracer.region("request", number=number):
            entered[number].set()
            for event in entered:  # all are inside before any leaves
                await event.wait()
            with tracer.region("answer"):
                await asyncio.sleep(0)

    async def main() -> None:
        entered = [asyncio.Event() for _ in range(4)]
        await asyncio.gather(*(one(n, entered) for n in range(4)))

    summary = recorded(lambda: asyncio.run(main()))
    tasks = {task.id for task in tasks_of(summary, "one")}
    requests = [said for said in summary.user.regions if said.name == "request"]
    answers = [said for said in summary.user.regions if said.name == "answer"]
    assert {said.task for said in requests} == {said.task for said in answers} == tasks
    assert [said.depth for said in answers] == [1] * 4
    assert max(said.start_ns for said in requests) < min(
        said.end_ns for said in requests if said.end_ns
    )


def test_without_tasks(recorded) -> None:
    """On the thread's track a region that outlives an outer one continues as a new piece."""

    async def first(go: asyncio.Event) -> None:
        with tracer.region("first"):
            await go.wait()

    async def second(go: asyncio.Event) -> None:
        with tracer.region("second"):
            go.set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    async def main() -> None:
        go = asyncio.Event()
        await asyncio.gather(first(go), second(go))

    regions = recorded(lambda: asyncio.run(main()), signals=("threads",)).user.regions
    assert names(regions) == ["first", "second", "second"]
    assert s.ARG_CONTINUES in regions[2].args
    assert regions[2].start_ns == regions[1].end_ns == regions[0].end_ns


def test_threads(recorded) -> None:
    def work() -> None:
        with tracer.region("thread's"):
            pass

    def main() -> None:
        with tracer.region("main's"):
            workers = [threading.Thread(target=work) for _ in range(3)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()

    regions = recorded(main).user.regions
    assert names(regions) == ["main's", *["thread's"] * 3]
    assert len({said.tid for said in regions}) == 4
    assert {said.depth for said in regions} == {0}


def test_generator_that_is_dropped_inside(recorded) -> None:
    """Its region ends when it is closed, though a younger one of the caller is open."""

    def numbers() -> Generator[int]:
        with tracer.region("generator"):
            yield 1

    def work() -> None:
        generator = numbers()
        next(generator)
        with tracer.region("caller"):
            generator.close()

    regions = recorded(work).user.regions
    assert names(regions) == ["generator", "caller", "caller"]
    assert regions[0].args == {s.ARG_EXCEPTION: "GeneratorExit"}
    assert regions[2].args == {s.ARG_CONTINUES: 1}


def test_async_generator_closed_by_the_loop(recorded) -> None:
    """A region ends with the task that entered it, not when another task closes the rest."""

    async def numbers() -> AsyncGenerator[int]:
        with tracer.region("generator"):
            yield 1

    held = []

    async def reads() -> None:
        held.append(numbers())
        await anext(held[0])

    async def main() -> None:
        await asyncio.create_task(reads())
        with tracer.region("later"):
            await held[0].aclose()

    summary = recorded(lambda: asyncio.run(main()))
    generator, later = summary.user.regions
    task = task_of(summary, "reads")
    assert (generator.name, generator.task) == ("generator", task.id)
    assert generator.end_ns == task.slices[-1].end_ns
    assert (later.name, later.depth, s.ARG_CONTINUES in later.args) == ("later", 0, False)


def test_exceptions(recorded) -> None:
    """The region names the exception that left it, and lets it through."""

    async def cancelled() -> None:
        async with tracer.region("cancelled"):
            await asyncio.sleep(3600)

    async def main() -> None:
        task = asyncio.create_task(cancelled())
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    def work() -> None:
        with pytest.raises(ZeroDivisionError), tracer.region("divides"):
            _ = 1 / 0
        asyncio.run(main())

    found = {said.name: said.args for said in recorded(work).user.regions}
    assert found == {
        "divides": {s.ARG_EXCEPTION: "ZeroDivisionError"},
        "cancelled": {s.ARG_EXCEPTION: "CancelledError"},
    }


def test_operations_cross_tasks_and_threads(recorded) -> None:
    """Child tasks and to_thread inherit the context; an executor's plain job does not."""

    def in_thread(name: str) -> None:
        with tracer.region(name):
            pass

    async def child() -> None:
        tracer.log("child")

    async def request(number: int) -> None:
        async with tracer.task("request", number=number):
            await asyncio.create_task(child())
            await asyncio.to_thread(in_thread, "to_thread")
            await asyncio.get_running_loop().run_in_executor(None, in_thread, "executor")
            with tracer.task("part of it"):
                await asyncio.sleep(0)
        tracer.log("after")

    async def main() -> None:
        await asyncio.gather(request(1), request(2))

    user = recorded(lambda: asyncio.run(main())).user
    by_name: dict[str, list[int]] = {}
    for (_, number), each in user.operations.items():
        by_name.setdefault(each.name, []).append(number)
    requests = sorted(by_name["request"])
    parts = [each for each in user.operations.values() if each.name == "part of it"]
    assert sorted(each.args[s.ARG_PARENT] for each in parts) == requests
    carried: dict[str, list[object]] = {}
    for said in (*user.regions, *user.logs):
        carried.setdefault(said.name, []).append(said.args.get(s.ARG_OPERATION))
    assert {name: sorted(found, key=str) for name, found in carried.items()} == {
        "child": requests,
        "to_thread": requests,
        "executor": [None, None],
        "after": [None, None],
    }
    tracks = {
        user.operations[key].begin.track for key in user.operations if key[1] in requests
    }
    assert len(tracks) == 2, "what overlaps has a lane each"


def test_entered_again(recorded) -> None:
    """An object is one region at a time: entering it again inside adds nothing."""
    region = tracer.region("one")

    def work() -> None:
        with region, region:
            pass
        with region:
            pass

    assert [said.depth for said in recorded(work).user.regions] == [0, 0]


def test_exit_stack(recorded) -> None:
    """contextlib takes __enter__ and __exit__ from the type."""

    def work() -> None:
        with contextlib.ExitStack() as stack:
            stack.enter_context(tracer.region("a"))
            stack.enter_context(tracer.task("b"))

    user = recorded(work).user
    assert (names(user.regions), len(user.operations)) == (["a"], 1)


def test_regions_across_recordings(recorded) -> None:
    """A region that began in an older recording, or in none, has no end in this one."""
    before, across = tracer.region("before"), tracer.region("across")

    def first() -> None:
        across.__enter__()

    def second() -> None:
        before.__exit__(None, None, None)
        across.__exit__(None, None, None)
        with tracer.region("second"):
            pass

    before.__enter__()
    (opened,) = recorded(first).user.regions
    assert (opened.name, opened.end_ns) == ("across", None)
    assert names(recorded(second).user.regions) == ["second"]


def test_operation_of_an_older_recording(recorded) -> None:
    """Its number means nothing in a new one."""
    operation = tracer.task("old")
    recorded(lambda: operation.__enter__())

    def work() -> None:
        tracer.log("no operation of this recording yet")
        with tracer.task("new"):
            pass
        tracer.log("still in the old one")
        operation.__exit__(None, None, None)

    user = recorded(work).user
    assert [said.args for said in user.logs] == [{}, {}]


def test_perfetto_takes_it(tmp_path: Path) -> None:
    path = tmp_path / "here.pftrace"

    async def one(number: int) -> None:
        async with tracer.task("request", number=number):
            with tracer.region("work", number=number):
                await asyncio.sleep(0)
            tracer.counter("load", number / 2)

    async def main() -> None:
        await asyncio.gather(*(one(n) for n in range(3)))

    with tracer.recording(path):
        asyncio.run(main())
        with tracer.region("after"):
            tracer.log("done")
    with open_trace(path) as tp:
        assert import_errors(tp) == []
        rows = tp.query(
            "SELECT s.name, COUNT(*) AS n, COUNT(DISTINCT s.track_id) AS tracks FROM slice s"
            " WHERE s.category IN ('user', 'operation') GROUP BY 1 ORDER BY 1"
        )
        assert [(row["name"], row["n"], row["tracks"]) for row in rows] == [
            ("after", 1, 1),
            ("done", 1, 1),
            ("request", 3, 3),
            ("work", 3, 3),
        ]
        values = tp.query(
            "SELECT c.value FROM counter c JOIN track t ON t.id = c.track_id"
            " WHERE t.name = 'load' ORDER BY c.ts"
        )
        assert [row["value"] for row in values] == [0.0, 0.5, 1.0]
