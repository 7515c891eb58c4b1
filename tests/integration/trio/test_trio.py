"""trio: the same facts as on asyncio's loops. Who waited, how long, behind whom."""

import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.recordings import (
    assert_victim_waited,
    states_of,
    steps_of,
    task_of,
    tasks_of,
    wakers,
)
from tests.support.trios import needs_trio, record_trio

if TYPE_CHECKING:
    import trio
    import trio.testing
else:
    trio = pytest.importorskip("trio")
    pytest.importorskip("trio.testing")

pytestmark = needs_trio
SLEEPS = 10  # a busy machine may be late for some, and then nothing waits


async def until_blocked() -> None:
    """Until every other task waits."""
    await trio.testing.wait_all_tasks_blocked()


def test_blocked_loop(tmp_path: Path) -> None:
    """A task that was woken before another one blocked the loop waits until that is over."""
    blocked: list[int] = []

    async def victim(event: trio.Event) -> None:
        await event.wait()

    async def blocker(event: trio.Event) -> None:
        event.set()
        blocked.append(time.monotonic_ns())
        time.sleep(0.02)
        blocked.append(time.monotonic_ns())

    async def main() -> None:
        event = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(victim, event)
            await until_blocked()
            nursery.start_soon(blocker, event)

    summary = record_trio(main, tmp_path)
    assert_victim_waited(summary, blocked)


@pytest.mark.parametrize("kind", ["Lock", "StrictFIFOLock"])
def test_lock_handed_on(kind: str, tmp_path: Path) -> None:
    """Three tasks take one lock in turn: each waits for the one that holds it then."""

    async def take(lock: "trio.Lock", held: trio.Event) -> None:
        async with lock:
            await held.wait()

    async def main() -> None:
        lock, held = getattr(trio, kind)(), trio.Event()
        async with trio.open_nursery() as nursery:
            for name in "abc":
                nursery.start_soon(take, lock, held, name=name)
                await until_blocked()
            held.set()

    summary = record_trio(main, tmp_path)
    a, b, c = tasks_of(summary, "take")
    # To take a free lock is a point where others may run.
    assert a.states == [
        "ready",
        "running",
        "ready",
        "running",
        "await Event",
        "ready",
        "running",
    ]
    line = take.__code__.co_firstlineno + 1
    for task in (b, c):
        assert task.states[:4] == ["ready", "running", "await Lock", "ready"]
        (wait,) = states_of(task, "await Lock")
        assert wait.begin.args["owner_name"] == "a"
        assert str(wait.begin.args["owner_site"]).split()[0] == f"{__file__}:{line}"
        assert str(wait.begin.args["site"]).split()[0] == f"{__file__}:{line}"
        assert wait.begin.args["kind"] == f"trio.{kind}"
        assert wait.end is not None
        assert wait.end.args["acquired"] == 1
    assert {"waker_task": a.id} in wakers(b)
    assert {"waker_task": b.id} in wakers(c)
    (lock,) = [lock for lock in summary.locks.values() if lock.kind == f"trio.{kind}"]
    assert lock.holders == ["a", "b", "c"]


def test_lock_given_up(tmp_path: Path) -> None:
    """Whoever is cancelled while waiting for a lock does not get it."""

    async def take(lock: "trio.Lock") -> None:
        async with lock:
            pass

    async def main() -> None:
        lock = trio.Lock()
        async with lock, trio.open_nursery() as nursery:
            nursery.start_soon(take, lock)
            await until_blocked()
            nursery.cancel_scope.cancel()

    summary = record_trio(main, tmp_path)
    (wait,) = states_of(task_of(summary, "take"), "await Lock")
    assert wait.end is not None
    assert wait.end.args["acquired"] == 0
    assert task_of(summary, "take").end == "cancelled"
    assert wakers(task_of(summary, "take"))[-1] == {"waker_task": task_of(summary, "main").id}


def test_memory_channel(tmp_path: Path) -> None:
    """Who sends wakes who receives, and the other way round when the channel is full."""

    async def consume(channel: "trio.MemoryReceiveChannel[int]") -> None:
        async for _ in channel:
            await until_blocked()

    async def produce(channel: "trio.MemorySendChannel[int]") -> None:
        async with channel:
            for item in range(4):
                await channel.send(item)

    async def main() -> None:
        send, receive = trio.open_memory_channel[int](1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(consume, receive)
            await until_blocked()
            nursery.start_soon(produce, send)

    summary = record_trio(main, tmp_path)
    producer, consumer = task_of(summary, "produce"), task_of(summary, "consume")
    waits = {*producer.states, *consumer.states} - {"ready", "running"}
    assert waits == {
        "await MemoryChannel.receive",
        "await MemoryChannel.send",
        "await wait_all_tasks_blocked",
    }
    assert {"waker_task": producer.id} in wakers(consumer)
    assert {"waker_task": consumer.id} in wakers(producer)
    receives = states_of(consumer, "await MemoryChannel.receive")
    assert len({each.begin.args["lock"] for each in receives}) == 1
    assert (producer.end, consumer.end) == ("done", "done")


def test_what_tasks_wait_for(tmp_path: Path) -> None:
    """Each kind of wait has its name, and the line of the program."""

    async def semaphore() -> None:
        limit = trio.Semaphore(0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(limit.acquire, name="acquires")
            await until_blocked()
            limit.release()

    async def limiter() -> None:
        limit = trio.CapacityLimiter(1)

        async def borrows() -> None:
            async with limit:
                pass

        async with trio.open_nursery() as nursery, limit:
            nursery.start_soon(borrows)
            await until_blocked()

    async def condition() -> None:
        changed = trio.Condition()

        async def notified() -> None:
            async with changed:
                await changed.wait()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(notified)
            await until_blocked()
            async with changed:
                changed.notify()

    async def parks() -> None:
        lot = trio.lowlevel.ParkingLot()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lot.park, name="parked")
            await until_blocked()
            lot.unpark()

    async def starts() -> None:
        async def service(task_status: Any) -> None:
            await trio.sleep(0.001)
            task_status.started()

        async with trio.open_nursery() as nursery:
            await nursery.start(service)

    async def process() -> None:
        await trio.run_process(["true"])

    async def main() -> None:
        for each in (semaphore, limiter, condition, parks, starts, process):
            await each()

    summary = record_trio(main, tmp_path)
    assert "await Semaphore" in task_of(summary, "acquire").states
    main_task = task_of(summary, "main")
    (borrowed,) = states_of(task_of(summary, "borrows"), "await CapacityLimiter")
    line = limiter.__code__.co_firstlineno + 4
    assert str(borrowed.begin.args["site"]).split()[0] == f"{__file__}:{line}"
    assert borrowed.begin.args["kind"] == "trio.CapacityLimiter"
    assert borrowed.begin.args["holders"] == f"…{main_task.name[-40:]} ({main_task.id})"
    assert "await Condition" in task_of(summary, "notified").states
    assert "await ParkingLot" in task_of(summary, "park").states
    assert "await sleep" in task_of(summary, "service").states
    main_ = main_task.states
    assert {"await nursery", "await nursery.start", "await subprocess"} <= set(main_)
    assert not [state for state in main_ if "wait_task_rescheduled" in state]


def test_ends(tmp_path: Path) -> None:
    """Cancelled while it waited, and failed; whose nursery each is in is its parent."""

    async def waits() -> None:
        await trio.sleep_forever()

    async def fails() -> None:
        await trio.sleep(0)
        raise ValueError

    async def spawns(nursery: "trio.Nursery") -> None:
        nursery.start_soon(fails)
        await trio.sleep_forever()

    async def main() -> None:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(waits)
                await until_blocked()
                nursery.start_soon(spawns, nursery)
        except* ValueError:
            pass

    summary = record_trio(main, tmp_path)
    made = {coro: task_of(summary, coro) for coro in ("waits", "spawns", "fails")}
    assert {coro: task.end for coro, task in made.items()} == {
        "waits": "cancelled",
        "spawns": "cancelled",
        "fails": "failed: ValueError",
    }
    main_ = task_of(summary, "main")
    assert main_.end == "done"
    assert {task.slices[0].begin.args["parent"] for task in made.values()} == {main_.id}
    assert wakers(made["waits"])[-1] == {"waker_task": made["fails"].id}
    assert made["fails"].states == ["ready", "running", "ready", "running"]
    assert "parent" not in main_.slices[0].begin.args


def test_a_scope_is_cancelled(tmp_path: Path) -> None:
    """By a deadline, which is a timer, or by another task; the task goes on."""

    async def timed() -> None:
        with trio.move_on_after(0.001):
            await trio.sleep_forever()

    async def stopped(scope: "trio.CancelScope") -> None:
        with scope:
            await trio.sleep_forever()

    async def main() -> None:
        await trio.lowlevel.checkpoint()
        scope = trio.CancelScope()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(timed)
            nursery.start_soon(stopped, scope)
            await until_blocked()
            scope.cancel()

    summary = record_trio(main, tmp_path)
    assert wakers(task_of(summary, "timed"))[-1] == {"waker": "timer"}
    by = task_of(summary, "main").id
    assert wakers(task_of(summary, "stopped"))[-1] == {"waker_task": by}
    assert task_of(summary, "timed").end == task_of(summary, "stopped").end == "done"


def test_woken_from_outside(tmp_path: Path) -> None:
    """By a thread that worked, one that calls in, a timer, and a socket."""
    tids: dict[str, int] = {}

    def work() -> None:
        tids["works"] = threading.get_native_id()

    def call_in(event: trio.Event) -> None:
        tids["calls in"] = threading.get_native_id()
        trio.from_thread.run_sync(event.set)

    def call_by_token(token: "trio.lowlevel.TrioToken", event: trio.Event) -> None:
        tids["has a token"] = threading.get_native_id()
        token.run_sync_soon(event.set)

    async def by_thread() -> None:
        await trio.to_thread.run_sync(work)

    async def waiter(event: trio.Event) -> None:
        await event.wait()

    async def by_caller() -> None:
        event = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(waiter, event)
            await until_blocked()
            await trio.to_thread.run_sync(call_in, event)

    async def by_token() -> None:
        event = trio.Event()
        token = trio.lowlevel.current_trio_token()
        thread = threading.Thread(target=call_by_token, args=(token, event))
        thread.start()
        await event.wait()
        thread.join()

    async def by_timer() -> None:
        await trio.sleep(0.001)

    async def sends(there: socket.socket) -> None:
        await until_blocked()
        there.send(b"x")

    async def by_socket() -> None:
        here, there = socket.socketpair()
        async with trio.open_nursery() as nursery:
            with here, there:
                here.setblocking(False)
                nursery.start_soon(sends, there)
                await trio.lowlevel.wait_readable(here)

    async def main() -> None:
        for each in (by_thread, by_caller, by_token, by_timer, by_socket):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(each)

    summary = record_trio(main, tmp_path)
    assert wakers(task_of(summary, "by_thread"))[-1] == {"waker_thread": tids["works"]}
    # trio hands the call to the task that waits for the thread, and that sets the event.
    assert wakers(task_of(summary, "waiter"))[-1] == {
        "waker_task": task_of(summary, "by_caller").id
    }
    assert wakers(task_of(summary, "by_token"))[-1] == {"waker_thread": tids["has a token"]}
    assert wakers(task_of(summary, "by_timer"))[-1] == {"waker": "timer"}
    assert wakers(task_of(summary, "by_socket"))[-1] == {"waker": "io"}
    assert "await executor" in task_of(summary, "by_thread").states
    assert "await sleep" in task_of(summary, "by_timer").states
    assert "await socket" in task_of(summary, "by_socket").states


def test_many_tasks(tmp_path: Path) -> None:
    """More than have tracks of their own: all of them are there, and every step."""

    async def child() -> None:
        await trio.sleep(0)
        await trio.sleep(0)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(400):
                nursery.start_soon(child)

    summary = record_trio(main, tmp_path)
    assert len(tasks_of(summary, "child")) == 400
    assert {task.end for task in tasks_of(summary, "child")} == {"done"}
    assert steps_of(summary, "child") == 1200
