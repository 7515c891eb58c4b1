"""anyio on asyncio and on trio: waits have its names, and the line of the program."""

import asyncio
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.recordings import states_of, task_of, tasks_of, wakers
from tests.support.trios import needs_anyio, needs_trio, record_anyio
from tests.support.validator.strict import read_strict
from tracer import schema as s

if TYPE_CHECKING:
    import anyio
    import anyio.from_thread
    import anyio.lowlevel
    import anyio.to_thread
else:
    anyio = pytest.importorskip("anyio")
    pytest.importorskip("anyio.to_thread")
    pytest.importorskip("anyio.from_thread")

pytestmark = [needs_anyio, needs_trio]
on_both = pytest.mark.parametrize("backend", ["asyncio", "trio"])


async def until_blocked() -> None:
    """Until every other task waits. (anyio's own function sleeps for a tenth of a second.)"""
    for _ in range(9):
        await anyio.lowlevel.checkpoint()


def line_of(function: Any, offset: int) -> str:
    return f"{__file__}:{function.__code__.co_firstlineno + offset}"


@on_both
def test_lock_handed_on(backend: str, tmp_path: Path) -> None:
    """Three tasks take one lock in turn: each waits for the one that holds it then."""

    async def take(lock: anyio.Lock, held: anyio.Event) -> None:
        async with lock:
            await held.wait()

    async def main() -> None:
        lock, held = anyio.Lock(), anyio.Event()
        async with anyio.create_task_group() as group:
            for name in "abc":
                group.start_soon(take, lock, held, name=name)
                await until_blocked()
            held.set()

    summary = record_anyio(backend, main, tmp_path)
    a, b, c = tasks_of(summary, "take")
    assert states_of(a, "await Event")
    for task in (b, c):
        (wait,) = states_of(task, "await Lock")
        assert wait.begin.args["owner_name"] == "a"
        assert str(wait.begin.args["site"]).split()[0] == line_of(take, 1)
        assert str(wait.begin.args["owner_site"]).split()[0] == line_of(take, 1)
        assert wait.end is not None
        assert wait.end.args["acquired"] == 1
    assert {"waker_task": a.id} in wakers(b)
    assert {"waker_task": b.id} in wakers(c)
    (lock,) = [lock for lock in summary.locks.values() if lock.kind == "anyio.Lock"]
    assert lock.holders == ["a", "b", "c"]


@on_both
def test_memory_object_stream(backend: str, tmp_path: Path) -> None:
    """Who sends wakes who receives, and the other way round when the stream is full."""

    async def consume(stream: Any) -> None:
        async with stream:
            async for _ in stream:
                await until_blocked()

    async def produce(stream: Any) -> None:
        async with stream:
            for item in range(4):
                await stream.send(item)

    async def main() -> None:
        send, receive = anyio.create_memory_object_stream[int](1)
        async with anyio.create_task_group() as group:
            group.start_soon(consume, receive)
            await until_blocked()
            group.start_soon(produce, send)

    summary = record_anyio(backend, main, tmp_path)
    producer, consumer = task_of(summary, "produce"), task_of(summary, "consume")
    receives = states_of(consumer, "await MemoryObjectStream.receive")
    assert len({each.begin.args["lock"] for each in receives}) == 1
    assert {each.begin.args["kind"] for each in receives} == {
        "anyio.MemoryObjectStream.receive"
    }
    assert {str(each.begin.args["site"]).split()[0] for each in receives} == {
        line_of(consume, 2)
    }
    sends = states_of(producer, "await MemoryObjectStream.send")
    assert {str(each.begin.args["site"]).split()[0] for each in sends} == {line_of(produce, 3)}
    assert {"waker_task": producer.id} in wakers(consumer)
    assert {"waker_task": consumer.id} in wakers(producer)


@on_both
def test_what_tasks_wait_for(backend: str, tmp_path: Path) -> None:
    """Each kind of wait has its name; a free thread is told apart from the job in it."""
    working, tids = threading.Event(), []

    def work() -> None:
        tids.append(threading.get_native_id())
        anyio.from_thread.run(until_blocked)

    async def semaphore() -> None:
        limit = anyio.Semaphore(0)
        async with anyio.create_task_group() as group:
            group.start_soon(limit.acquire, name="acquires")
            await until_blocked()
            limit.release()

    async def condition() -> None:
        changed = anyio.Condition()

        async def notified() -> None:
            async with changed:
                await changed.wait()

        async with anyio.create_task_group() as group:
            group.start_soon(notified)
            await until_blocked()
            async with changed:
                changed.notify()

    async def borrows(limit: anyio.CapacityLimiter, until: anyio.Event) -> None:
        async with limit:
            await until.wait()

    async def limiter() -> None:
        """Ten tasks have the slots that one more waits for."""
        limit, until = anyio.CapacityLimiter(10), anyio.Event()
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(borrows, limit, until)
            await until_blocked()
            group.start_soon(borrows, limit, until, name="late")
            await until_blocked()
            until.set()

    async def works(limit: anyio.CapacityLimiter) -> None:
        await anyio.to_thread.run_sync(work, limiter=limit)

    async def main() -> None:
        await semaphore()
        await condition()
        await limiter()
        limit = anyio.CapacityLimiter(1)
        async with anyio.create_task_group() as group:
            group.start_soon(works, limit)
            group.start_soon(works, limit)
        await anyio.sleep(0.001)
        working.set()

    summary = record_anyio(backend, main, tmp_path)
    assert "await Semaphore" in task_of(summary, "acquire").states
    assert "await Condition" in task_of(summary, "notified").states
    assert {"await TaskGroup", "await sleep"} <= set(task_of(summary, "main").states)
    *ten, late = tasks_of(summary, "borrows")
    (full,) = states_of(late, "await CapacityLimiter")
    assert full.begin.args["slots"] == 10
    *named, more = str(full.begin.args["holders"]).split(", ")
    assert more == "…"
    shown = {f"…{task.name[-40:]} ({task.id})" for task in ten}
    assert set(named) < shown
    both = tasks_of(summary, "works")
    waits = [wait for task in both for wait in states_of(task, "await CapacityLimiter")]
    (wait,) = waits
    assert wait.begin.args["slots"] == 1
    assert str(wait.begin.args["kind"]).split(".")[1:] == ["CapacityLimiter"]
    assert str(wait.begin.args["site"]).split()[0] == line_of(works, 1)
    for task in both:
        jobs = states_of(task, "await executor")
        assert {str(job.begin.args["site"]).split()[0] for job in jobs} == {line_of(works, 1)}
    last = {tid for task in both for each in wakers(task) if (tid := each.get("waker_thread"))}
    assert last <= set(tids)
    assert last


@on_both
def test_a_scope_without_effect(backend: str, tmp_path: Path) -> None:
    """What waits for a thread that is not abandoned waits on; a sleep ends, and so does what
    had not been reached yet."""
    works, go = threading.Event(), threading.Event()
    scope: anyio.CancelScope

    def work() -> None:
        works.set()
        go.wait()

    async def fetch() -> None:
        nonlocal scope
        with anyio.CancelScope() as scope:
            await anyio.to_thread.run_sync(work)

    async def nap() -> None:
        with anyio.move_on_after(0.01):
            await anyio.sleep(60)

    async def late() -> None:
        with anyio.move_on_after(0):
            await anyio.sleep(60)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for function in (fetch, nap, late):
                group.start_soon(function)
            while not works.is_set():
                await anyio.sleep(0.001)
            scope.deadline = anyio.current_time()
            await anyio.sleep(0.001)
            go.set()

    summary = record_anyio(backend, main, tmp_path)
    told = [
        event
        for event in read_strict((tmp_path / "t.pftrace").read_bytes()).events
        if event.name == s.REFUSED
    ]
    assert [event.args["task"] for event in told] == [task_of(summary, "fetch").id]


def test_a_scope_leaves_the_programs_methods_alone(tmp_path: Path) -> None:
    """A task whose class counts its cancellations itself is not asked for them."""
    go, askers = threading.Event(), []

    class Counting(asyncio.Task[None]):
        def cancelling(self) -> int:
            askers.append(sys._getframe(1).f_code.co_name)
            return super().cancelling()

    async def fetch() -> None:
        with anyio.move_on_after(0.01):
            await anyio.to_thread.run_sync(go.wait)

    async def main() -> None:
        task = Counting(fetch(), loop=asyncio.get_running_loop())
        await anyio.sleep(0.05)
        go.set()
        await task

    record_anyio("asyncio", main, tmp_path)
    assert "_timeout" not in askers
