"""Lock waits of real threads: who waited, where and behind whom; none is missing."""

import functools
import gc
import importlib
import itertools
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.recordings import record_here
from tests.support.validator.rules import Summary
from tests.support.validator.slices import Slice
from tests.support.waiting import lock_waits, only, times_blocked, until_it_waits_in, waits_in
from tracer import schema as s
from viewer.analysis.report import build_report
from viewer.analysis.tasks import By
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

MS = 1_000_000
HOLDS_S = (0.003, 0.005)
TURNS = 12

Use = Callable[[Any, Callable[[], None]], None]


def through_with(lock: Any, work: Callable[[], None]) -> None:
    with lock:
        work()


def prebound(lock: Any, work: Callable[[], None]) -> None:
    acquire, release = lock.acquire, lock.release
    acquire()
    work()
    release()


def nested(lock: Any, work: Callable[[], None]) -> None:
    with lock:
        lock.acquire()
        work()
        lock.release()


USES: dict[str, tuple[Use, Callable[[], Any]]] = {
    "with": (through_with, threading.Lock),
    "prebound": (prebound, threading.Lock),
    "with an RLock": (through_with, threading.RLock),
    "nested": (nested, threading.RLock),
}
Lock = threading.Lock()  # made before any recording


@dataclass
class Hold:
    """What a thread saw of one of its turns; the stamps come from inside, so they are late at
    the begin and early at the end."""

    tid: int
    asked_ns: int
    in_ns: int = 0
    out_ns: int = 0
    after_ns: int = 0


def take_turns(use: Use, lock: threading.Lock, threads: int) -> list[Hold]:
    """All holds in their true order: each enters itself while it has the lock."""
    holds: list[Hold] = []
    together = threading.Barrier(threads)

    def turn(hold: Hold, hold_s: float) -> None:
        hold.in_ns = time.monotonic_ns()
        holds.append(hold)
        time.sleep(hold_s)
        hold.out_ns = time.monotonic_ns()

    def work(number: int) -> None:
        together.wait()
        for at in range(TURNS):
            hold = Hold(threading.get_native_id(), time.monotonic_ns())
            use(lock, functools.partial(turn, hold, HOLDS_S[(number + at) % 2]))
            hold.after_ns = time.monotonic_ns()

    workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return holds


def test_memory_of_a_lock_that_died_taken(tmp_path: Path) -> None:
    """An RLock that reuses a plain lock's memory inherits nothing from it: no contention."""

    def work() -> None:
        taken = [threading.Lock() for _ in range(200)]
        for lock in taken:
            lock.acquire()
        places = set(map(id, taken))
        del lock
        taken.clear()
        fresh = [threading.RLock() for _ in range(200)]
        if not places & set(map(id, fresh)):
            pytest.skip("memory is not given out again at once here")  # without a GIL

        def use() -> None:
            for lock in fresh:
                with lock, lock:
                    pass

        for _ in range(2):
            user = threading.Thread(target=use)
            user.start()
            user.join()

    path = tmp_path / "t.pftrace"
    record_here(work, path)
    locks = build_report(build_model(read_trace(path)), By.CORO).locks
    assert [row for row in locks if row.kind == "RLock"] == []


@pytest.mark.parametrize("kind", ["Lock", "RLock"])
def test_taken_before_the_recording(tmp_path: Path, kind: str) -> None:
    """The holder is unknown. Signals interrupt the wait; each piece names the lock."""
    lock = getattr(threading, kind)()
    lock.acquire()

    def wait() -> None:
        lock.acquire()

    def work() -> None:
        waiter = threading.Thread(target=wait)
        waiter.start()
        until_it_waits_in(waiter, "wait", "acquire")
        for _ in range(3):
            before = times_blocked(waiter)
            signal.pthread_kill(waiter.ident or 0, signal.SIGUSR1)
            while times_blocked(waiter) == before:
                time.sleep(0)
        lock.release()
        waiter.join()

    kept = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        summary, _ = record_here(work, tmp_path / "t.pftrace")
    finally:
        signal.signal(signal.SIGUSR1, kept)
    pieces = [each.args for _, each in lock_waits(summary, kind)]
    assert len(pieces) > 1
    assert len({args[s.ARG_LOCK] for args in pieces}) == 1
    assert [args[s.ARG_ACQUIRED] for args in pieces] == [0] * (len(pieces) - 1) + [1]
    assert not any(s.ARG_OWNER in args for args in pieces)


def place_of(lock: object) -> int:
    """The slot of a lock in the table of signals/locks/holders.h."""
    return (id(lock) * 0x9E3779B97F4A7C15 >> 32) % (1 << 14)


@pytest.mark.skipif("t" in sys.abiflags, reason="without a GIL a lock loses its place")
def test_two_locks_of_one_place(tmp_path: Path) -> None:
    """The owner of the first lock is still known after taking the second."""
    by_place: dict[int, list[Any]] = {}
    while not any(len(found) > 1 for found in by_place.values()):
        lock = threading.Lock()
        by_place.setdefault(place_of(lock), []).append(lock)
    (first, second) = next(found for found in by_place.values() if len(found) > 1)

    def wait() -> None:
        first.acquire()

    def work() -> None:
        with second, first:
            pass
        first.acquire()
        second.acquire()
        waiter = threading.Thread(target=wait)
        waiter.start()
        until_it_waits_in(waiter, "wait", "acquire")
        first.release()
        waiter.join()

    summary, _ = record_here(work, tmp_path / "t.pftrace")
    assert only(summary, "Lock").args[s.ARG_OWNER] == threading.get_native_id()


SLOW_MODULE = """
import gate
gate.began.set()
gate.may_end.wait()
for _ in range(100_000): pass
"""


def test_import_that_another_thread_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This wait has its own name: two threads wait until a third has imported the module."""
    (tmp_path / "slow_module.py").write_text(SLOW_MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    gate = SimpleNamespace(began=threading.Event(), may_end=threading.Event())
    monkeypatch.setitem(sys.modules, "gate", gate)
    monkeypatch.setitem(sys.modules, "slow_module", None)  # to restore it afterwards
    del sys.modules["slow_module"]
    imports = functools.partial(importlib.import_module, "slow_module")
    threads = [threading.Thread(target=imports) for _ in range(3)]

    def work() -> None:
        threads[0].start()
        gate.began.wait()
        for thread in threads[1:]:
            thread.start()
        while not all(waits_in(one, "acquire", "wakeup", "acquire") for one in threads[1:]):
            time.sleep(0)
        gate.may_end.set()
        for thread in threads:
            thread.join()

    summary, _ = record_here(work, tmp_path / "t.pftrace")
    others = [thread.native_id for thread in threads[1:]]
    waits = dict(lock_waits(summary, "import"))
    assert sorted(waits) == sorted(others)  # type: ignore[type-var]
    model = build_model(read_trace(tmp_path / "t.pftrace"))
    (row,) = (row for row in build_report(model, By.CORO).locks if row.kind == "import")
    assert row.is_idle
    assert threads[0].name in {who for who, _ in row.woken_by}
    for wait in waits.values():
        assert s.ARG_OWNER not in wait.args
    assert not lock_waits(summary, "Lock")


@pytest.mark.parametrize("threads", [2, 8])
@pytest.mark.parametrize("name", USES)
def test_every_wait_and_its_owner(tmp_path: Path, name: str, threads: int) -> None:
    use, make = USES[name]
    lock = Lock if make is threading.Lock else make()
    holds: list[Hold] = []
    summary, _ = record_here(
        lambda: holds.extend(take_turns(use, lock, threads)), tmp_path / "t.pftrace"
    )
    by_tid: dict[int, list[Slice]] = {}
    for tid, wait in lock_waits(summary, "Lock", "RLock"):
        if not str(wait.args[s.ARG_SITE]).endswith(".work"):  # that is for the barrier's
            by_tid.setdefault(tid, []).append(wait)
    assert len(holds) == threads * TURNS
    for before, hold in itertools.pairwise(holds):
        found = [
            wait
            for wait in by_tid.get(hold.tid, ())
            if hold.asked_ns <= wait.start_ns <= hold.in_ns
        ]
        if not found:
            assert_other_reason(summary, hold, before)
            continue
        (wait,) = found  # one wait, one slice
        # It ended after the lock was given back, and before the thread went on with it.
        assert wait.end_ns is not None
        assert before.out_ns <= wait.end_ns <= hold.in_ns
        assert wait.args[s.ARG_ACQUIRED] == 1
        assert wait.args[s.ARG_OWNER] in owners(holds, wait.start_ns)
        assert str(wait.args[s.ARG_SITE]).endswith(f" {use.__name__}")
        assert str(wait.args[s.ARG_OWNER_SITE]).endswith(f" {use.__name__}")
    assert {w.args[s.ARG_LOCK] for ws in by_tid.values() for w in ws} != set()
    assert len({w.args[s.ARG_LOCK] for ws in by_tid.values() for w in ws}) == 1


def owners(holds: list[Hold], ns: int) -> set[int]:
    """Threads that may have held the lock at that moment, or, if it was free, took it next:
    between `out_ns` and `after_ns` the release may or may not have been."""
    not_out = next(h.tid for h in holds if h.out_ns > ns)
    not_after = next(h.tid for h in holds if h.after_ns > ns)
    return {not_out, not_after}


def assert_other_reason(summary: Summary, hold: Hold, before: Hold) -> None:
    """There was no millisecond to wait for, or the thread came too late to see it."""
    if before.out_ns - hold.asked_ns <= MS:
        return
    (lane,) = (lane for lane in summary.lanes.values() if lane.tid == hold.tid)
    stopped_ns = sum(
        min(each.end_ns or 0, hold.in_ns) - max(each.start_ns, hold.asked_ns)
        for each in lane.slices
        if each.name != s.RUNNING
        and each.start_ns < hold.in_ns
        and (each.end_ns or 0) > hold.asked_ns
    )
    assert stopped_ns >= before.out_ns - hold.asked_ns - MS, (hold, before)


def test_weak_references_of_the_recorder_are_not_counted(tmp_path: Path) -> None:
    """A program that looks for leaks counts what the collector knows."""
    counts: list[int] = []

    def contend() -> None:
        lock, waits = threading.Lock(), threading.Event()

        def other() -> None:
            waits.set()
            with lock:
                pass

        with lock:
            thread = threading.Thread(target=other)
            thread.start()
            waits.wait()
            time.sleep(0.001)
        thread.join()

    def program() -> None:
        for _ in range(4):
            contend()
            gc.collect()
            counts.append(sum(type(each) is weakref.ref for each in gc.get_objects()))

    record_here(program, tmp_path / "t.pftrace")
    assert len(set(counts[1:])) == 1
