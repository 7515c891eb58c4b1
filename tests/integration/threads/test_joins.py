"""Who ended a wait, for joins (the thread's end) and futures, as Perfetto draws it."""

import _thread
import sys
import threading
from collections.abc import Callable
from concurrent import futures
from pathlib import Path

import pytest

from tests.conftest import Recorder
from tests.support.recordings import record_here
from tests.support.trace_processor import open_trace
from tests.support.validator.rules import Summary, validate
from tests.support.validator.waits import NO_WAKER
from tests.support.waiting import lock_waits, until_it_waits_in
from tracer import schema as s

HAS_HANDLES = sys.version_info >= (3, 13)
HANDLE = "_os_thread_handle" if sys.version_info >= (3, 14) else "_handle"
ENDS = f"""
    select tb.name as waiter, ta.name as by from flow f
    join slice a on f.slice_out = a.id join thread_track xa on a.track_id = xa.id
    join thread ta on xa.utid = ta.utid
    join slice b on f.slice_in = b.id join thread_track xb on b.track_id = xb.id
    join thread tb on xb.utid = tb.utid
    where a.name = '{s.RELEASE}' order by a.ts
"""


def until_joined(by: threading.Thread, function: str = "join") -> None:
    """Lets the calling thread go on once that thread waits for its end."""
    if HAS_HANDLES:
        until_it_waits_in(by, function, HANDLE, "join")
    else:
        until_it_waits_in(by, "_wait_for_tstate_lock", "acquire")


def ended_by(path: Path) -> list[tuple[str, str]]:
    """(waiter, who ended the wait) of every lock wait."""
    with open_trace(path) as tp:
        return [(row["waiter"], row["by"]) for row in tp.query(ENDS)]


def without_waker(summary: Summary) -> list[str]:
    return [reason for reason in summary.unknown if reason.startswith(NO_WAKER)]


@pytest.mark.parametrize("timeout", [None, 60.0])
def test_join(tmp_path: Path, timeout: float | None) -> None:
    main = threading.current_thread()

    def work() -> None:
        thread = threading.Thread(target=until_joined, args=(main,), name="joined")
        thread.start()
        thread.join(timeout)

    path = tmp_path / "t.pftrace"
    summary, _ = record_here(work, path)
    assert without_waker(summary) == []
    assert (main.name, "joined") in ended_by(path)
    (owner,) = {wait.args[s.ARG_OWNER_NAME] for _, wait in lock_waits(summary, "Thread.join")}
    assert owner == "joined"


def test_join_that_is_given_up(tmp_path: Path) -> None:
    """The time-out ended the wait: no arrow."""
    may_end = threading.Event()

    def work() -> None:
        thread = threading.Thread(target=may_end.wait, name="late")
        thread.start()
        thread.join(0.01)
        may_end.set()
        while thread.is_alive():
            pass

    summary, _ = record_here(work, tmp_path / "t.pftrace")
    ((tid, wait),) = lock_waits(summary, "Thread.join")
    (lane,) = (lane for lane in summary.lanes.values() if lane.tid == tid)
    assert wait.args[s.ARG_ACQUIRED] == 0
    assert lane.slices[lane.slices.index(wait) + 1].begin.ends_flows == []


def test_two_join_one(tmp_path: Path) -> None:
    main = threading.current_thread()

    def end() -> None:
        until_joined(main)
        until_joined(others[0])

    thread = threading.Thread(target=end, name="joined")
    others = [threading.Thread(target=thread.join, name="other")]

    def work() -> None:
        thread.start()
        others[0].start()
        thread.join()
        others[0].join()

    path = tmp_path / "t.pftrace"
    summary, _ = record_here(work, path)
    assert without_waker(summary) == []
    found = ended_by(path)
    assert (main.name, "joined") in found
    assert ("other", "joined") in found


@pytest.mark.skipif(not HAS_HANDLES, reason="3.12 has no handles")
def test_threads_without_threading(tmp_path: Path) -> None:
    """A handle's join: there is no threading.Thread to announce the end."""
    main = threading.current_thread()

    def work() -> None:
        for _ in range(4):
            handle = _thread.start_joinable_thread(
                lambda: until_it_waits_in(main, "work", "start_joinable_thread", "join")
            )
            handle.join()

    path = tmp_path / "t.pftrace"
    summary, _ = record_here(work, path)
    assert without_waker(summary) == []
    waits = [wait for _, wait in lock_waits(summary, "Thread.join")]
    assert len({wait.args[s.ARG_OWNER] for wait in waits if wait.args[s.ARG_ACQUIRED]}) == 4
    assert {waiter for waiter, _ in ended_by(path)} == {main.name}


def test_executor_shutdown(tmp_path: Path) -> None:
    main = threading.current_thread()

    def work() -> None:
        with futures.ThreadPoolExecutor(1, "worker") as pool:
            pool.submit(until_joined, main)

    path = tmp_path / "t.pftrace"
    summary, _ = record_here(work, path)
    assert without_waker(summary) == []
    assert (main.name, "worker_0") in ended_by(path)
    (name,) = {
        wait.args[s.ARG_OWNER_NAME] for _, wait in lock_waits(summary, "executor shutdown")
    }
    assert name == "worker_0"


def wait_all(future: "futures.Future[None]") -> None:
    futures.wait([future])


def as_completed(future: "futures.Future[None]") -> None:
    list(futures.as_completed([future]))


def result(future: "futures.Future[None]") -> None:
    future.result()


def exception(future: "futures.Future[None]") -> None:
    future.exception(60)


def chained(future: "futures.Future[None]") -> None:
    """Its callback sets another."""
    other: futures.Future[None] = futures.Future()
    future.add_done_callback(lambda _: other.set_result(None))
    other.result()


@pytest.mark.parametrize("wait", [wait_all, as_completed, result, exception, chained])
def test_futures(tmp_path: Path, wait: Callable[["futures.Future[None]"], None]) -> None:
    """The worker that set the result ended the wait."""
    main = threading.current_thread()

    def work() -> None:
        with futures.ThreadPoolExecutor(1, "worker") as pool:
            wait(pool.submit(until_it_waits_in, main, "wait", "acquire"))

    path = tmp_path / "t.pftrace"
    summary, _ = record_here(work, path)
    assert without_waker(summary) == []
    assert (main.name, "worker_0") in ended_by(path)


JOINS_THE_MAIN_THREAD = """
import threading
threading.Thread(target=threading.main_thread().join, name="joins").start()
"""


def test_the_main_thread_is_joined(record: Recorder) -> None:
    """For other threads it is over once the interpreter begins to end."""
    path = record(JOINS_THE_MAIN_THREAD)
    assert without_waker(validate(path.read_bytes())) == []
    assert ("joins", "MainThread") in ended_by(path)
