"""gevent: who waited, for what, how long and behind whom, as for tasks on asyncio's loops."""

import threading
import time
from pathlib import Path

import gevent
import gevent.event
import gevent.lock
import gevent.pool
import gevent.queue
import gevent.socket
import gevent.thread
import gevent.threadpool
import pytest

from tests.support.greenlets import in_thread, record_greenlets
from tests.support.recordings import (
    assert_victim_waited,
    record_here,
    states_of,
    task_of,
    tasks_of,
    wakers,
)
from tests.support.validator.rules import validate
from tests.support.validator.slices import pair
from tests.support.validator.strict import read_strict
from tracer.recorder import SIGNALS, Options, Recording


def test_blocked_hub(tmp_path: Path) -> None:
    """A greenlet that was woken before another one blocked the hub waits until it is over."""
    blocked: list[int] = []

    def victim(event: gevent.event.Event) -> None:
        event.wait()

    def blocker(event: gevent.event.Event) -> None:
        event.set()
        blocked.append(time.monotonic_ns())
        time.sleep(0.02)
        blocked.append(time.monotonic_ns())

    def main() -> None:
        event = gevent.event.Event()
        waiting = gevent.spawn(victim, event)
        gevent.sleep(0)
        gevent.joinall([waiting, gevent.spawn(blocker, event)])

    summary = record_greenlets(main, tmp_path)
    assert_victim_waited(summary, blocked)


def test_the_line_is_the_programs(tmp_path: Path) -> None:
    """Not one of gevent's own, and not that of the code that waits for it inside gevent."""

    def main() -> None:
        gevent.pool.Pool(1).apply(gevent.sleep, (0.001,))
        gevent.sleep(0.001)

    summary = record_greenlets(main, tmp_path)
    slept = states_of(task_of(summary, "main greenlet"), "await sleep")
    assert [str(each.begin.args["site"]).split()[-1] for each in slept] == [
        "test_the_line_is_the_programs.<locals>.main"
    ]
    assert {str(each.begin.args["site"]).split(":")[0] for each in slept} == {__file__}


def test_queue(tmp_path: Path) -> None:
    """Who puts wakes who gets, and the other way round when the queue is full."""

    def consume(queue: gevent.queue.Queue) -> None:
        while queue.get():
            pass

    def produce(queue: gevent.queue.Queue) -> None:
        for item in (3, 2, 1, 0):
            queue.put(item)

    def main() -> None:
        queue = gevent.queue.Queue(1)
        consumer = gevent.spawn(consume, queue)
        gevent.sleep(0)
        gevent.joinall([consumer, gevent.spawn(produce, queue)])

    summary = record_greenlets(main, tmp_path)
    producer, consumer = task_of(summary, "produce"), task_of(summary, "consume")
    assert set(producer.states) == {"ready", "running", "await Queue.put"}
    assert set(consumer.states) == {"ready", "running", "await Queue.get"}
    assert {"waker_task": producer.id} in wakers(consumer)
    assert {"waker_task": consumer.id} in wakers(producer)
    assert (producer.end, consumer.end) == ("done", "done")


def test_ends(tmp_path: Path) -> None:
    """Killed while it waited, before it began, and failed; who made each is its parent."""

    def waits() -> None:
        gevent.event.Event().wait()

    def never() -> None:
        pass

    def fails() -> None:
        gevent.sleep(0)
        raise ValueError

    def main() -> None:
        gevent.get_hub().exception_stream = None
        waiting, failing = gevent.spawn(waits), gevent.spawn(fails)
        gevent.sleep(0)
        early = gevent.spawn(never)
        gevent.killall([waiting, early])
        gevent.joinall([failing])

    summary = record_greenlets(main, tmp_path)
    made = {coro: task_of(summary, coro) for coro in ("waits", "never", "fails")}
    assert {coro: task.end for coro, task in made.items()} == {
        "waits": "cancelled",
        "never": "cancelled",
        "fails": "failed: ValueError",
    }
    by = task_of(summary, "main greenlet").id
    assert {task.slices[0].begin.args["parent"] for task in made.values()} == {by}
    assert wakers(made["waits"])[-1] == {"waker_task": by}
    assert made["fails"].states == ["ready", "running", "ready", "running"]


def test_failed_where_the_program_handles_the_errors_of_its_hub(tmp_path: Path) -> None:
    """gevent asks the hub, on which the program may have put a function of its own."""

    def fails() -> None:
        raise ValueError

    def leaves() -> None:
        raise gevent.GreenletExit

    def works() -> int:
        gevent.sleep(0)
        return 1

    def main() -> None:
        gevent.get_hub().handle_error = lambda *of: None
        gevent.joinall([gevent.spawn(fails), gevent.spawn(leaves), gevent.spawn(works)])

    summary = record_greenlets(main, tmp_path)
    assert {coro: task_of(summary, coro).end for coro in ("fails", "leaves", "works")} == {
        "fails": "failed: ValueError",
        "leaves": "done",
        "works": "done",
    }


def test_woken_from_outside(tmp_path: Path) -> None:
    """By a timer, a socket, a time-out, another greenlet's end, and a thread of the pool."""
    suspended, tids = threading.Event(), list[int]()

    def by_timer() -> None:
        gevent.sleep(0.001)

    def by_socket() -> None:
        here, there = gevent.socket.socketpair()
        with here, there:
            gevent.spawn_later(0.001, there.send, b"x")
            here.recv(1)

    def by_time_out() -> None:
        gevent.event.Event().wait(0.001)

    def by_end() -> None:
        gevent.spawn(gevent.sleep, 0.001).join()

    def work() -> None:
        tids.append(threading.get_native_id())
        suspended.wait()

    def by_thread() -> None:
        gevent.spawn(suspended.set)
        gevent.get_hub().threadpool.apply(work)

    def by_failing_thread() -> None:
        with pytest.raises(ZeroDivisionError):
            gevent.get_hub().threadpool.apply(fails)

    def fails() -> None:
        tids.append(threading.get_native_id())
        raise ZeroDivisionError

    made = (by_timer, by_socket, by_time_out, by_end, by_thread, by_failing_thread)

    def main() -> None:
        for each in made:
            gevent.spawn(each).join()

    summary = record_greenlets(main, tmp_path)
    waits = {each.__name__: task_of(summary, each.__name__) for each in made}
    assert {name: task.states[-3] for name, task in waits.items()} == {
        "by_timer": "await sleep",
        "by_socket": "await socket",
        "by_time_out": "await Event",
        "by_end": f"await greenlet #{task_of(summary, 'sleep').id}",
        "by_thread": "await AsyncResult",
        "by_failing_thread": "await AsyncResult",
    }
    assert {name: wakers(task)[-1] for name, task in waits.items()} == {
        "by_timer": {"waker": "timer"},
        "by_socket": {"waker": "io"},
        "by_time_out": {"waker": "timer"},
        "by_end": {"waker_task": task_of(summary, "sleep").id},
        "by_thread": {"waker_thread": tids[0]},
        "by_failing_thread": {"waker_thread": tids[1]},
    }


def test_many_greenlets(tmp_path: Path) -> None:
    """More than have tracks of their own: all of them are there, and every step."""

    def child() -> None:
        gevent.sleep(0)
        gevent.sleep(0)

    def main() -> None:
        gevent.joinall([gevent.spawn(child) for _ in range(400)])

    summary = record_greenlets(main, tmp_path)
    children = tasks_of(summary, "child")
    assert len(children) == 400
    assert {task.end for task in children} == {"done"}
    assert sum(task.states.count("running") for task in children) == 1200


def test_hubs_in_threads(tmp_path: Path) -> None:
    """Two hubs at a time: each has its greenlets, on a track of its own."""
    path = tmp_path / "t.pftrace"

    def inner() -> None:
        gevent.sleep(0.001)

    def outer() -> None:
        gevent.sleep(0.001)
        in_thread(lambda: gevent.spawn(inner).join(), "inner")

    summary, _ = record_here(lambda: in_thread(outer, "outer"), path)
    assert task_of(summary, "inner").end == "done"
    assert wakers(task_of(summary, "inner"))[-1] == {"waker": "timer"}
    tracks = {track.name for track in read_strict(path.read_bytes()).tracks.values()}
    assert {"greenlets @outer", "greenlets @inner"} <= tracks


@pytest.mark.parametrize("signals", [("tasks",), ("tasks", "gil"), tuple(SIGNALS)])
def test_a_hub_that_waits_is_idle(signals: tuple[str, ...], tmp_path: Path) -> None:
    """While the one greenlet sleeps the loop is in `select`, whatever else is recorded."""
    path = tmp_path / "t.pftrace"

    def main() -> None:
        for _ in range(10):  # a busy machine may be late for some, and then nothing waits
            gevent.sleep(0.004)

    summary, _ = record_here(lambda: in_thread(main, "hub"), path, signals=signals)
    sleeps = states_of(task_of(summary, "main greenlet"), "await sleep")
    selects = [
        each for each in pair(read_strict(path.read_bytes()))[0] if each.name == "select"
    ]
    assert any(
        sleep.begin.time_ns <= select.begin.time_ns <= (sleep.end_ns or 0)
        for sleep in sleeps
        for select in selects
    )


def test_recorded_from_the_middle_and_again(tmp_path: Path) -> None:
    """Recordings that begin and end while greenlets wait know those that go on."""
    paths = [tmp_path / f"{number}.pftrace" for number in range(2)]

    def waiting(event: gevent.event.Event) -> None:
        event.wait()
        gevent.sleep(0.001)

    def main() -> None:
        for path in paths:
            event = gevent.event.Event()
            waiter = gevent.spawn(waiting, event)
            gevent.sleep(0)
            recording = Recording(Options(str(path), argv=("test",)))
            recording.start()
            gevent.sleep(0)
            event.set()
            waiter.join()
            recording.stop()

    in_thread(main, "hub")
    for path in paths:
        summary = validate(path.read_bytes())
        waiter = task_of(summary, "waiting")
        assert waiter.states[-3:] == ["await sleep", "ready", "running"]
        assert waiter.end == "done"
        assert wakers(waiter)[-1] == {"waker": "timer"}


def test_lock_handed_on(tmp_path: Path) -> None:
    """Three greenlets take one lock in turn: each waits for the one that holds it then."""

    def take(lock: gevent.lock.BoundedSemaphore, held: gevent.event.Event) -> None:
        with lock:
            held.wait()

    def main() -> None:
        lock, held = gevent.lock.BoundedSemaphore(1), gevent.event.Event()
        takers = [gevent.spawn(take, lock, held) for _ in range(3)]
        gevent.sleep(0)
        held.set()
        gevent.joinall(takers)

    summary = record_greenlets(main, tmp_path)
    a, b, c = tasks_of(summary, "take")
    assert a.states == ["ready", "running", "await Event", "ready", "running"]
    for task in (b, c):
        assert task.states == ["ready", "running", "await Semaphore", "ready", "running"]
        (wait,) = states_of(task, "await Semaphore")
        assert wait.begin.args["owner_task"] == a.id
    assert wakers(b)[-1] == {"waker_task": a.id}
    assert wakers(c)[-1] == {"waker_task": b.id}
    (lock,) = [lock for lock in summary.locks.values() if lock.kind == "gevent.Semaphore"]
    assert lock.holders == [f"#{task.id}" for task in (a, b, c)]


def test_a_lock_that_its_owner_takes_again(tmp_path: Path) -> None:
    """`with` of a patched lock calls its acquire() and release(): each hold counts once, so
    that the one who waits still knows the owner."""

    def take(lock: gevent.thread.LockType, taken: gevent.event.Event, times: int) -> None:
        for _ in range(times):
            with lock:
                taken.wait()

    def main() -> None:
        lock, taken = gevent.thread.LockType(), gevent.event.Event()
        takers = [gevent.spawn(take, lock, taken, times) for times in (2, 1)]
        gevent.sleep(0)
        taken.set()
        gevent.joinall(takers)

    summary = record_greenlets(main, tmp_path)
    a, b = tasks_of(summary, "take")
    (lock,) = [lock for lock in summary.locks.values() if lock.kind == "gevent.Lock"]
    assert lock.holders == [f"#{task.id}" for task in (a, a, b)]
    (wait,) = states_of(b, "await Lock")
    assert wait.begin.args["owner_task"] == a.id


def test_a_semaphore_that_several_hold_has_no_owner(tmp_path: Path) -> None:
    """Nobody in particular has what the next one waits for."""

    def take(slots: gevent.lock.Semaphore) -> None:
        with slots:
            gevent.sleep(0.001)

    def main() -> None:
        slots = gevent.lock.Semaphore(2)
        gevent.joinall([gevent.spawn(take, slots) for _ in range(3)])

    summary = record_greenlets(main, tmp_path)
    (wait,) = states_of(tasks_of(summary, "take")[2], "await Semaphore")
    assert "owner_task" not in wait.begin.args
    assert wait.begin.args["kind"] == "gevent.Semaphore"
