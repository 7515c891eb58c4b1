"""Where the kernel refuses perf events: what is said, and the counters in their place."""

import errno
import functools
import hashlib
import os
import threading
import time
from pathlib import Path

import pytest

from tests.support.recordings import join_to_the_end, record_here
from tests.support.validator.strict import read_strict
from tracer import _core, recorder
from tracer import schema as s
from tracer.signals import sched
from viewer.trace.reader import read_trace

BLOCK = bytes(1 << 20)
REFUSALS = {
    errno.EPERM: "--cap-add PERFMON",
    errno.EACCES: "kernel.perf_event_paranoid <= 2",
    errno.ENOSYS: "the kernel does not provide them",
    errno.EMFILE: "ulimit -n",
    errno.ENOMEM: "ulimit -l",
    errno.E2BIG: "64 CPUs",
}


def refuse(monkeypatch: pytest.MonkeyPatch, error: int = errno.EPERM) -> None:
    monkeypatch.setitem(recorder.SIGNALS, "sched", functools.partial(sched.arm, refusal=error))


@pytest.mark.parametrize(("error", "remedy"), REFUSALS.items(), ids=errno.errorcode.get)
def test_a_refusal_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int, remedy: str
) -> None:
    refuse(monkeypatch, error)
    path = tmp_path / "t.pftrace"
    record_here(lambda: None, path, signals=("sched",))
    (said,) = [e for e in read_strict(path.read_bytes()).events if e.name == s.HOOK_DISABLED]
    assert said.args[s.ARG_HOOK] == "sched"
    reason = str(said.args[s.ARG_REASON])
    assert reason.startswith("counters only, no perf events: ")
    assert remedy in reason


def counters(path: Path) -> dict[tuple[int, str], list[tuple[int, int]]]:
    """(ns, value) of every counter below a thread, by (tid, name)."""
    events = read_strict(path.read_bytes()).events
    tracks = read_trace(path).tracks  # after the events: the file may be growing
    found: dict[tuple[int, str], list[tuple[int, int]]] = {}
    for event in events:
        track = tracks[event.track]
        parent = tracks.get(track.parent_uuid)
        if event.counter is not None and parent and parent.tid:
            found.setdefault((parent.tid, track.name), []).append(
                (event.time_ns, int(event.counter))
            )
    return found


def run_delay_ns() -> int:
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1])


def test_counters_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cumulative, never falling, and between what the thread itself read before and after."""
    refuse(monkeypatch)
    path = tmp_path / "t.pftrace"

    def read() -> tuple[int, int]:
        return time.thread_time_ns(), run_delay_ns()

    def compute() -> None:  # until reported twice; at the end of the recording once more
        while len(counters(path).get((threading.get_native_id(), s.COUNTER_CPU), ())) < 2:
            hashlib.sha256(BLOCK)

    before, before_ns = read(), time.monotonic_ns()
    record_here(compute, path)
    after, after_ns = read(), time.monotonic_ns()
    found = counters(path)
    for i, name in enumerate((s.COUNTER_CPU, s.COUNTER_RUN_DELAY)):
        rows = found[threading.get_native_id(), name]
        values = [before[i], *(value for _, value in rows), after[i]]
        assert values == sorted(values)
        times = [before_ns, *(ns for ns, _ in rows), after_ns]
        assert times == sorted(times)
        assert len({value for _, value in rows}) == len(rows), "told though unchanged"
    assert len(found[threading.get_native_id(), s.COUNTER_CPU]) > 2


def test_no_counters_with_perf_events(tmp_path: Path) -> None:
    path = tmp_path / "t.pftrace"
    summary, _ = record_here(lambda: None, path, signals=("sched",))
    if summary.names[s.HOOK_DISABLED]:
        pytest.skip("no perf events here")
    assert counters(path) == {}


def test_counters_of_at_most_256_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More are not sampled, which is said once; every descriptor is given back."""
    refuse(monkeypatch)
    path = tmp_path / "t.pftrace"
    begin = _core.RECORD_KINDS["THREAD_BEGIN"]
    all_there, go = threading.Barrier(261), threading.Event()

    def work() -> None:
        _core.emit(1, begin, 0)
        all_there.wait()
        go.wait()

    threads = [threading.Thread(target=work) for _ in range(260)]
    before = len(os.listdir("/proc/self/fd"))

    def run() -> None:
        for thread in threads:
            thread.start()
        all_there.wait()

    summary, _ = record_here(run, path, signals=("sched",))
    go.set()
    for thread in threads:
        join_to_the_end(thread)
    assert len(os.listdir("/proc/self/fd")) == before
    assert len({tid for tid, _ in counters(path)}) == 256
    assert summary.names[s.NOTE] == 1


def test_counters_of_finished_threads_give_back_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch)
    begin = _core.RECORD_KINDS["THREAD_BEGIN"]
    before = len(os.listdir("/proc/self/fd"))

    def run() -> None:
        for _ in range(600):
            thread = threading.Thread(target=_core.emit, args=(1, begin, 0))
            thread.start()
            join_to_the_end(thread)

    record_here(run, tmp_path / "t.pftrace", signals=("sched",))
    assert len(os.listdir("/proc/self/fd")) == before
