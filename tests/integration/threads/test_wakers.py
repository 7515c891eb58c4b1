"""Waits for things nobody holds: their names and who ended them; and locks that die."""

import _thread
import asyncio
import gc
import queue
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Recorder
from tests.support.recordings import record_here
from tests.support.validator.lanes import Lane, LockSummary
from tests.support.validator.rules import Summary, validate
from tests.support.validator.waits import NO_LOCK
from tests.support.waiting import lock_waits, until_it_waits_in
from tracer import schema as s

TURNS = 6


def lane_of(summary: Summary, tid: int | None) -> Lane:
    (lane,) = (lane for lane in summary.lanes.values() if lane.tid == tid)
    return lane


def reasons(summary: Summary, *but: str) -> list[str]:
    """On 3.15 a join may end in libc's, until the thread is quite gone: no lock is known."""
    but = (*but, "pthread_join")
    return [reason for reason in summary.unknown if reason.partition(": ")[2] not in but]


def test_every_wait_for_a_simple_queue(tmp_path: Path) -> None:
    """Every wait, not only the first: put and get do not make the queue a free lock."""
    items: queue.SimpleQueue[int] = queue.SimpleQueue()
    seen: list[int] = []

    def consume() -> None:
        for _ in range(TURNS):
            item = items.get()
            seen.append(item)

    consumer = threading.Thread(target=consume)

    def work() -> None:
        consumer.start()
        for number in range(TURNS):
            until_it_waits_in(consumer, "consume", "get")
            items.put(number)
            while len(seen) <= number:
                time.sleep(0)
        consumer.join()

    summary, _ = record_here(work, tmp_path / "t.pftrace")
    waits = lock_waits(summary, "SimpleQueue.get")
    assert [tid for tid, _ in waits] == [consumer.native_id] * TURNS
    assert len({each.args[s.ARG_LOCK] for _, each in waits}) == 1
    assert not reasons(summary, "Thread.join")


def test_every_idle_wait_of_a_worker(tmp_path: Path) -> None:
    workers: list[threading.Thread] = []

    def work() -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(lambda: workers.append(threading.current_thread())).result()
            for _ in range(TURNS):
                until_it_waits_in(workers[0], "_worker", "get")
                pool.submit(int).result()
            until_it_waits_in(workers[0], "_worker", "get")

    summary, _ = record_here(work, tmp_path / "t.pftrace")
    states = lane_of(summary, workers[0].native_id).states
    assert states.count("lock wait: executor idle") == TURNS + 1
    assert not reasons(summary, "Thread.join", "executor shutdown")


def test_wakers_that_end_before_the_waiter_runs(tmp_path: Path) -> None:
    """It happens while a third thread holds the GIL."""
    stop: list[int] = []

    def work() -> None:
        busy = threading.Thread(target=lambda: all(not stop for _ in iter(int, 1)))
        busy.start()
        for _ in range(TURNS):
            event = threading.Event()
            waiter = threading.Thread(target=event.wait)
            waiter.start()
            until_it_waits_in(waiter, "wait", "acquire")
            _thread.start_new_thread(event.set, ())
            waiter.join()
        stop.append(1)
        busy.join()

    summary, _ = record_here(work, tmp_path / "t.pftrace")
    assert len(lock_waits(summary, "Event.wait")) == TURNS
    assert not reasons(summary, "Thread.join", "Thread.start")


def test_idle_workers_wait_for_their_pools_queue(tmp_path: Path) -> None:
    """All of them, every time: so each job, and the end of the pool, has its arrow."""
    together = threading.Barrier(3)

    def work() -> None:
        with ThreadPoolExecutor(2) as pool:
            for _ in range(2):
                pool.submit(together.wait)
            together.wait()
            for _ in range(TURNS):
                for worker in pool._threads:
                    until_it_waits_in(worker, "_worker", "get")
                pool.submit(int).result()

    summary, _ = record_here(work, tmp_path / "t.pftrace")
    idle = [each for _, each in lock_waits(summary, "executor idle")]
    assert len(idle) >= TURNS + 2
    assert len({each.args[s.ARG_LOCK] for each in idle}) == 1
    assert not [reason for reason in summary.unknown if "executor" in reason]
    assert not any("_WorkItem.run" in str(each.args[s.ARG_STACK]) for each in idle)


@pytest.mark.skipif(sys.version_info < (3, 13), reason="CPython 3.12 has no thread handles")
def test_handles_of_threads_have_numbers_of_their_own(tmp_path: Path) -> None:
    """A lock that reuses the memory of a dead one is a different lock."""
    main = threading.current_thread()

    def end() -> None:
        until_it_waits_in(main, "work", "start_joinable_thread", "join")

    def work() -> None:
        for _ in range(TURNS):
            handle = _thread.start_joinable_thread(end)
            handle.join()
            del handle

    summary, _ = record_here(work, tmp_path / "t.pftrace")
    waits = {each.args[s.ARG_LOCK] for _, each in lock_waits(summary, "Thread.join")}
    assert len(waits) == TURNS
    assert not [reason for reason in summary.unknown if reason.startswith(NO_LOCK)]


AT_SHUTDOWN = """
import dis, sys, threading, time

def waits_for_threads(frame):  # called what joins them, and does not have the GIL
    before = (i for i in dis.get_instructions(frame.f_code) if i.offset < frame.f_lasti)
    names = [i.argval for i in before if i.opname in ("LOAD_ATTR", "LOAD_GLOBAL")]
    return frame.f_code.co_name == "_shutdown" and names[-1] in ("acquire", "_thread_shutdown")

def work():
    while not waits_for_threads(sys._current_frames()[threading.main_thread().ident]):
        time.sleep(0)

for _ in range(int(sys.argv[1])):
    threading.Thread(target=work, name="last").start()
"""


@pytest.mark.parametrize("threads", [1, 2])
def test_joins_as_the_interpreter_ends(record: Recorder, threads: int) -> None:
    """They are shown as joins, and name the joined thread, which ended them."""
    summary = validate(record(AT_SHUTDOWN, str(threads)).read_bytes())
    ((_, last),) = lock_waits(summary, "Thread.join")[-1:]
    assert str(last.args[s.ARG_SITE]).endswith(" _shutdown")
    assert last.args[s.ARG_ACQUIRED] == 1
    assert last.args[s.ARG_OWNER_NAME] == "last"
    assert not [reason for reason in summary.unknown if reason.endswith("Thread.join")]


def test_a_free_lock_of_the_interpreter_is_no_wait(record: Recorder) -> None:
    """However long the kernel takes the processor away as the interpreter takes it."""
    work = "import sys\nfor _ in range(9): sys._current_frames()"
    summary = validate(record(work, options=("--io-threshold", "0")).read_bytes())
    assert not [reason for reason in summary.unknown if reason.endswith("sem_wait")]


def give_up(lock: Any) -> None:
    """This thread takes the lock and keeps it; another waits for it in vain."""
    lock.acquire()
    waiter = threading.Thread(target=lock.acquire, kwargs={"timeout": 0.001})
    waiter.start()
    waiter.join()


@pytest.mark.parametrize("by", ["reference count", "collection"])
@pytest.mark.parametrize("make", [threading.Lock, threading.RLock])
def test_a_lock_that_is_freed_while_somebody_has_it(
    tmp_path: Path, make: Callable[[], Any], by: str
) -> None:
    """The hold ends then, and a new lock in its place is a different one."""
    freed_ns: list[int] = []

    def work() -> None:
        for _ in range(2):
            box: list[Any] = [make()]
            give_up(box[0])
            if by == "collection":
                box.append(box)
            del box
            gc.collect()
            freed_ns.append(time.monotonic_ns())

    summary, _ = record_here(work, tmp_path / "t.pftrace")
    waits = [each for _, each in lock_waits(summary, "Lock", "RLock")]
    assert [each.args[s.ARG_OWNER] for each in waits] == [threading.get_native_id()] * 2
    assert len({each.args[s.ARG_LOCK] for each in waits}) == 2
    ends = [hold.end_ns or 0 for lock in summary.locks.values() for hold in lock.holds]
    assert len(ends) == 2
    for end_ns, wait, until_ns in zip(sorted(ends), waits, freed_ns, strict=True):
        assert (wait.end_ns or 0) <= end_ns <= until_ns


def test_an_asyncio_lock_that_is_freed_while_a_task_has_it(tmp_path: Path) -> None:
    async def give_up() -> None:
        lock = asyncio.Lock()
        await lock.acquire()  # before anybody waits: this lock is not known
        for _ in range(2):
            waiter = asyncio.create_task(lock.acquire())
            await asyncio.sleep(0)
            lock.release()
            await waiter
        waiter = asyncio.create_task(lock.acquire())
        await asyncio.sleep(0)
        waiter.cancel()

    async def main() -> None:
        await give_up()
        await asyncio.sleep(0)
        gc.collect()
        freed_ns.append(time.monotonic_ns())
        await asyncio.sleep(0)

    freed_ns: list[int] = []
    summary, _ = record_here(lambda: asyncio.run(main()), tmp_path / "t.pftrace")
    lock: LockSummary
    (lock,) = (each for each in summary.locks.values() if each.kind == "asyncio.Lock")
    assert lock.holds
    assert all(hold.end_ns and hold.end_ns <= freed_ns[0] for hold in lock.holds)
