"""One program, the same facts whatever loop runs it: who waited, how long, behind whom."""

import asyncio
import socket
import threading
import time
from pathlib import Path

import pytest

from tests.support.loops import NewLoop, on_every_loop, record_on
from tests.support.recordings import (
    assert_victim_waited,
    record_here,
    states_of,
    steps_of,
    task_of,
    tasks_of,
    wakers,
)
from tests.support.validator.slices import pair
from tests.support.validator.strict import read_strict
from tracer.recorder import SIGNALS


@on_every_loop
def test_blocked_loop(new_loop: NewLoop, tmp_path: Path) -> None:
    """A task that was woken before another one blocked the loop waits until that is over."""
    blocked: list[int] = []

    async def victim(event: asyncio.Event) -> None:
        await event.wait()

    async def blocker(event: asyncio.Event) -> None:
        event.set()
        blocked.append(time.monotonic_ns())
        time.sleep(0.02)
        blocked.append(time.monotonic_ns())

    async def main() -> None:
        event = asyncio.Event()
        waiting = asyncio.create_task(victim(event))
        await asyncio.sleep(0)
        await asyncio.gather(waiting, asyncio.create_task(blocker(event)))

    summary = record_on(new_loop, main, tmp_path)
    assert_victim_waited(summary, blocked)


@on_every_loop
def test_lock_handed_on(new_loop: NewLoop, tmp_path: Path) -> None:
    """Three tasks take one lock in turn: each waits for the one that holds it then."""

    async def take(lock: asyncio.Lock, held: asyncio.Event) -> None:
        async with lock:
            await held.wait()

    async def main() -> None:
        lock, held = asyncio.Lock(), asyncio.Event()
        takers = [asyncio.create_task(take(lock, held), name=name) for name in "abc"]
        await asyncio.sleep(0)
        held.set()
        await asyncio.gather(*takers)

    summary = record_on(new_loop, main, tmp_path)
    a, b, c = tasks_of(summary, "take")
    assert a.states == ["ready", "running", "await Event", "ready", "running"]
    for task in (b, c):
        assert task.states == ["ready", "running", "await Lock", "ready", "running"]
        (wait,) = states_of(task, "await Lock")
        assert wait.begin.args["owner_name"] == "a"
    assert wakers(b)[-1] == {"waker_task": a.id}
    assert wakers(c)[-1] == {"waker_task": b.id}
    (lock,) = [lock for lock in summary.locks.values() if lock.kind == "asyncio.Lock"]
    assert lock.holders == ["a", "b", "c"]


@on_every_loop
def test_queue(new_loop: NewLoop, tmp_path: Path) -> None:
    """Who puts wakes who gets, and the other way round when the queue is full."""

    async def consume(queue: asyncio.Queue[int]) -> None:
        while await queue.get():
            pass

    async def produce(queue: asyncio.Queue[int]) -> None:
        for item in (3, 2, 1, 0):
            await queue.put(item)

    async def main() -> None:
        queue: asyncio.Queue[int] = asyncio.Queue(1)
        consumer = asyncio.create_task(consume(queue))
        await asyncio.sleep(0)
        await asyncio.gather(consumer, asyncio.create_task(produce(queue)))

    summary = record_on(new_loop, main, tmp_path)
    producer, consumer = task_of(summary, "produce"), task_of(summary, "consume")
    assert set(producer.states) == {"ready", "running", "await Queue.put"}
    assert set(consumer.states) == {"ready", "running", "await Queue.get"}
    assert {"waker_task": producer.id} in wakers(consumer)
    assert {"waker_task": consumer.id} in wakers(producer)
    assert (producer.end, consumer.end) == ("done", "done")


@on_every_loop
def test_ends(new_loop: NewLoop, tmp_path: Path) -> None:
    """Cancelled while it waited, before it began, and failed; who made each is its parent."""

    async def waits() -> None:
        await asyncio.Event().wait()

    async def never() -> None:
        pass

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ValueError

    async def main() -> None:
        waiting, failing = asyncio.create_task(waits()), asyncio.create_task(fails())
        await asyncio.sleep(0)
        early = asyncio.create_task(never())
        waiting.cancel()
        early.cancel()
        await asyncio.gather(waiting, early, failing, return_exceptions=True)

    summary = record_on(new_loop, main, tmp_path)
    made = {coro: task_of(summary, coro) for coro in ("waits", "never", "fails")}
    assert {coro: task.end for coro, task in made.items()} == {
        "waits": "cancelled",
        "never": "cancelled",
        "fails": "failed: ValueError",
    }
    by = task_of(summary, "main").id
    assert {task.slices[0].begin.args["parent"] for task in made.values()} == {by}
    assert wakers(made["waits"])[-1] == {"waker_task": by}
    assert made["fails"].states == ["ready", "running", "ready", "running"]


@on_every_loop
def test_woken_from_outside(new_loop: NewLoop, tmp_path: Path) -> None:
    """By a thread, a timer, a socket, and a callback of another task."""
    tids: list[int] = []
    suspended = threading.Event()

    def work() -> None:
        tids.append(threading.get_native_id())
        suspended.wait()

    async def by_thread() -> None:
        asyncio.get_running_loop().call_soon(suspended.set)  # runs once the task waits
        await asyncio.to_thread(work)

    async def by_timer() -> None:
        await asyncio.sleep(0.001)

    async def by_socket() -> None:
        loop = asyncio.get_running_loop()
        here, there = socket.socketpair()
        with here, there:
            here.setblocking(False)
            loop.call_later(0.001, there.send, b"x")
            await loop.sock_recv(here, 1)

    async def by_reader() -> None:
        loop = asyncio.get_running_loop()
        here, there = socket.socketpair()
        with here, there:
            arrived = loop.create_future()
            loop.add_reader(here, arrived.set_result, None)
            loop.call_later(0.001, there.send, b"x")
            await arrived
            loop.remove_reader(here)

    async def by_callback() -> None:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.call_soon(loop.call_soon, future.set_result, None)
        await future

    async def main() -> None:
        for each in (by_thread, by_timer, by_socket, by_reader, by_callback):
            await asyncio.create_task(each())

    summary = record_on(new_loop, main, tmp_path)
    last = {
        coro: wakers(task_of(summary, coro))[-1]
        for coro in ("by_thread", "by_timer", "by_socket", "by_reader", "by_callback")
    }
    assert last == {
        "by_thread": {"waker_thread": tids[0]},
        "by_timer": {"waker": "timer"},
        "by_socket": {"waker": "io"},
        "by_reader": {"waker": "io"},
        "by_callback": {"waker_task": task_of(summary, "by_callback").id},
    }
    assert "await executor" in task_of(summary, "by_thread").states
    assert "await sleep" in task_of(summary, "by_timer").states


@on_every_loop
def test_many_tasks(new_loop: NewLoop, tmp_path: Path) -> None:
    """More than have tracks of their own: all of them are there, and every step."""

    async def child() -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(*(child() for _ in range(400)))

    summary = record_on(new_loop, main, tmp_path)
    assert len(tasks_of(summary, "child")) == 400
    assert {task.end for task in tasks_of(summary, "child")} == {"done"}
    assert steps_of(summary, "child") == 1200


@on_every_loop
def test_eager_tasks(new_loop: NewLoop, tmp_path: Path) -> None:
    """They begin while they are made, and go on like any other."""

    async def at_once() -> None:
        pass

    async def later() -> None:
        await asyncio.sleep(0)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for coro in (at_once(), later()):  # uvloop has no way for 3.13's eager task factory
            await asyncio.Task(coro, loop=loop, eager_start=True)

    summary = record_on(new_loop, main, tmp_path)
    assert task_of(summary, "at_once").states == ["running"]
    assert task_of(summary, "later").states == ["running", "ready", "running"]


@on_every_loop
def test_python_tasks(new_loop: NewLoop, tmp_path: Path) -> None:
    """asyncio's tasks written in Python are stepped in another way."""

    async def child() -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        await asyncio.tasks._PyTask(child(), loop=loop)  # type: ignore[attr-defined]

    summary = record_on(new_loop, main, tmp_path)
    child_ = task_of(summary, "child")
    assert child_.states == [
        *("ready", "running", "ready", "running", "await sleep", "ready", "running"),
    ]
    assert wakers(child_)[-1] == {"waker": "timer"}
    assert child_.end == "done"


@on_every_loop
def test_loop_in_a_thread_of_a_loop(new_loop: NewLoop, tmp_path: Path) -> None:
    """Two loops at a time: each has its tasks, and each says when it runs and waits."""

    async def inner() -> None:
        await asyncio.sleep(0.001)

    def run_inner() -> None:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(inner())

    async def main() -> None:
        await asyncio.to_thread(run_inner)

    summary = record_on(new_loop, main, tmp_path)
    assert task_of(summary, "inner").end == task_of(summary, "main").end == "done"
    assert wakers(task_of(summary, "inner"))[-1] == {"waker": "timer"}
    assert summary.names["loop started"] == summary.names["loop stopped"]


@on_every_loop
@pytest.mark.parametrize("signals", [("tasks",), ("tasks", "gil"), tuple(SIGNALS)])
def test_a_loop_that_waits_is_idle(
    new_loop: NewLoop, signals: tuple[str, ...], tmp_path: Path
) -> None:
    """While the one task sleeps the loop is in `select`, whatever else is recorded."""
    path = tmp_path / "t.pftrace"

    async def main() -> None:
        for _ in range(10):  # a busy machine may be late for some, and then nothing waits
            await asyncio.sleep(0.004)

    def run() -> None:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(main())

    summary, _ = record_here(run, path, signals=signals)
    sleeps = states_of(task_of(summary, "main"), "await sleep")
    selects = [
        each for each in pair(read_strict(path.read_bytes()))[0] if each.name == "select"
    ]
    assert any(
        sleep.begin.time_ns <= select.begin.time_ns <= (sleep.end_ns or 0)
        for sleep in sleeps
        for select in selects
    )


@on_every_loop
def test_recorded_from_the_middle_and_again(new_loop: NewLoop, tmp_path: Path) -> None:
    """Recordings that begin and end inside a running step know the tasks that are there."""
    from tests.support.validator.rules import validate
    from tracer.recorder import Options, Recording

    paths = [tmp_path / f"{number}.pftrace" for number in range(2)]

    async def waiting(event: asyncio.Event) -> None:
        await event.wait()
        await asyncio.sleep(0.001)

    async def main() -> None:
        for path in paths:
            event = asyncio.Event()
            waiter = asyncio.create_task(waiting(event))
            await asyncio.sleep(0)
            recording = Recording(Options(str(path), argv=("test",)))
            recording.start()
            await asyncio.sleep(0)
            event.set()
            await waiter
            recording.stop()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
    for path in paths:
        summary = validate(path.read_bytes())
        waiter = task_of(summary, "waiting")
        assert waiter.states[:4] == ["await Event", "ready", "running", "await sleep"]
        assert task_of(summary, "main").states[:2] == ["running", "ready"]
        assert wakers(waiter) == [
            {"waker_task": task_of(summary, "main").id},
            {"waker": "timer"},
        ]


@on_every_loop
def test_system_exit_leaves_the_loop(new_loop: NewLoop, tmp_path: Path) -> None:
    """It ends the step and the loop, and reaches the program."""
    raised: list[BaseException] = []

    async def main() -> None:
        raise SystemExit(3)

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=new_loop) as runner:
                runner.run(main())
        except SystemExit as error:
            raised.append(error)

    summary, _ = record_here(run, tmp_path / "t.pftrace")
    assert [error.code for error in raised if isinstance(error, SystemExit)] == [3]
    assert task_of(summary, "main").end == "failed: SystemExit"
    assert summary.names["loop started"] == summary.names["loop stopped"]


@on_every_loop
def test_what_a_task_leaves_behind_is_no_part_of_the_next_step(
    new_loop: NewLoop, tmp_path: Path
) -> None:
    """The loop drops a task that has ended, and its result, before it runs what comes next."""
    dropped: list[int] = []

    class Result:
        def __del__(self) -> None:
            dropped.append(time.monotonic_ns())
            while time.monotonic_ns() < dropped[0] + 2_000_000:
                pass
            dropped.append(time.monotonic_ns())

    async def makes() -> Result:
        await asyncio.sleep(0)
        return Result()

    async def next_one() -> None:
        for _ in range(3):
            await asyncio.sleep(0)

    async def main() -> None:
        asyncio.get_running_loop().create_task(makes())  # nobody keeps it
        await asyncio.create_task(next_one())

    summary = record_on(new_loop, main, tmp_path)
    begin_ns, end_ns = dropped
    for step in states_of(task_of(summary, "next_one"), "running"):
        assert step.end_ns is not None
        assert step.end_ns <= begin_ns or step.begin.time_ns >= end_ns
