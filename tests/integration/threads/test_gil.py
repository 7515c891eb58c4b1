"""The GIL in real programs: the validator's laws under churn, holders, clean shutdown."""

import functools
import hashlib
import operator
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Recorder
from tests.support.recordings import record_here
from tests.support.validator.strict import read_strict
from tracer import _core
from tracer import schema as s


def compute(rounds: int) -> None:
    for _ in range(rounds):
        sum(range(2000))


def test_threads_that_compute_take_turns(tmp_path: Path) -> None:
    """Each thread waits for the GIL behind one of the others."""
    threads = 4
    together = threading.Barrier(threads)
    tids: list[int] = []

    def work() -> None:
        tids.append(threading.get_native_id())
        together.wait()
        compute(5000)

    def run() -> None:
        workers = [threading.Thread(target=work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    summary, _ = record_here(run, tmp_path / "t.pftrace", signals=("gil", "threads"))
    everybody = {tid for _, tid in summary.lanes}
    assert set(tids) <= everybody
    for tid in tids:
        waits = summary.lanes[os.getpid(), tid].named(s.GIL_WAIT)
        assert waits
        holders = {each.args.get(s.ARG_HOLDER) for each in waits} - {None}
        assert holders <= everybody - {tid}


def beside_a_busy_thread(begins: list[int], call: Callable[[], object]) -> tuple[int, int]:
    """Calls it after C code has held the GIL for long, when others have asked for it. Returns
    the CPU time that this thread had before the call and after it."""
    over = threading.Event()

    def busy() -> None:
        while not over.is_set():
            compute(1)

    thread = threading.Thread(target=busy)
    thread.start()
    begins.append(threading.get_native_id())
    calls: list[Callable[[], object]] = [
        functools.partial(sum, range(1_000_000)),
        time.thread_time_ns,
        call,
        time.thread_time_ns,
    ]
    found = list(map(operator.call, calls))  # in C: no chance to give up the GIL between them
    over.set()
    thread.join()
    before_ns, after_ns = (each for each in found[1::2] if isinstance(each, int))
    return before_ns, after_ns


def sleep_of(tid: int) -> str:
    """Its state, and how many times it has gone to sleep."""
    status = Path(f"/proc/self/task/{tid}/status").read_text()
    state = status.partition("State:\t")[2][0]
    return state + status.partition("\nvoluntary_ctxt_switches:\t")[2].partition("\n")[0]


def test_who_gives_the_gil_for_a_lock_waits_for_the_lock(tmp_path: Path) -> None:
    """It does not wait for the GIL, although others had asked for it."""
    lock = threading.Lock()
    begins: list[int] = []
    asleep_ns = [0, 0]

    def run() -> None:
        with lock:
            args = (begins, lock.acquire)
            waiter = threading.Thread(target=beside_a_busy_thread, args=args)
            waiter.start()
            before = ""
            while not before.startswith("S") or sleep_of(begins[0]) != before:
                before = sleep_of(begins[0]) if begins else ""
                asleep_ns[0] = time.monotonic_ns()
                time.sleep(4 * sys.getswitchinterval())  # a GIL waiter would wake up
            asleep_ns[1] = time.monotonic_ns()
        waiter.join()

    summary, _ = record_here(run, tmp_path / "t.pftrace")
    lane = summary.lanes[os.getpid(), begins[0]]
    (wait,) = (
        each
        for each in lane.named(s.LOCK_WAIT_PREFIX + "Lock")
        if each.start_ns <= asleep_ns[0] <= (each.end_ns or 0)
    )
    assert wait.end_ns is not None
    assert wait.end_ns >= asleep_ns[1]


def test_who_gives_the_gil_to_compute_computes(tmp_path: Path) -> None:
    """It too is native, and does not wait for the GIL."""
    begins: list[int] = []
    took_ns: list[int] = []
    data = b"x" * 20_000_000

    def run() -> None:
        took_ns.append(time.thread_time_ns())
        hashlib.sha256(data)
        took_ns.append(time.thread_time_ns())
        took_ns.extend(beside_a_busy_thread(begins, functools.partial(hashlib.sha256, data)))

    summary, _ = record_here(run, tmp_path / "t.pftrace", signals=("gil", "io"))
    lane = summary.lanes[os.getpid(), begins[0]]
    natives = [each.end_ns - each.start_ns for each in lane.named(s.NATIVE) if each.end_ns]
    # Each is whole, or in pieces with preemption in between: without one, its time lacks.
    one, other = took_ns[1] - took_ns[0], took_ns[3] - took_ns[2]
    assert sum(natives) > max(one, other) + min(one, other) / 2


def test_without_threads_there_is_only_running(tmp_path: Path) -> None:
    summary, _ = record_here(
        lambda: compute(2000), tmp_path / "t.pftrace", signals=("gil", "io")
    )
    lane = summary.lanes[os.getpid(), threading.get_native_id()]
    assert {each.name for each in lane.slices if each.begin.category == s.CAT_GIL} == set()


@pytest.mark.stress
def test_a_thousand_recordings_under_churn(tmp_path: Path) -> None:
    """Hooks come and go while threads start, end, block and are interrupted."""
    over = threading.Event()

    def churn() -> None:
        r, w = os.pipe()
        while not over.is_set():
            thread = threading.Thread(target=os.write, args=(w, b"x"))
            thread.start()
            os.read(r, 1)
            thread.join()
        os.close(r)
        os.close(w)

    workers = [threading.Thread(target=churn) for _ in range(3)]
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    for worker in workers:
        worker.start()
    try:
        for n in range(1000):
            record_here(
                lambda: compute(3), tmp_path / f"{n % 2}.pftrace", buffer_bytes=1 << 20
            )
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        over.set()
        for worker in workers:
            worker.join()


def test_a_gil_nobody_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The recording goes on without the signal, and says so."""

    def unknown(core: object, tool: object) -> None:
        raise RuntimeError("the GIL of this interpreter works in an unknown way")

    monkeypatch.setitem(sys.modules["tracer.recorder"].SIGNALS, "gil", unknown)
    path = tmp_path / "t.pftrace"
    record_here(lambda: compute(3), path)
    (disabled,) = (
        event
        for event in read_strict(path.read_bytes()).events
        if event.name == s.HOOK_DISABLED
    )
    assert disabled.args[s.ARG_HOOK] == "gil"


def test_watching_twice_is_refused(tmp_path: Path) -> None:
    def run() -> None:
        with pytest.raises(RuntimeError, match="already"):
            _core.watch_gil(True)

    record_here(run, tmp_path / "t.pftrace", signals=("gil",))
    with pytest.raises(RuntimeError, match="no recording"):
        _core.watch_gil(True)


SUBINTERPRETERS = """\
import threading
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

CODE = "import threading, time\\nlock = threading.Lock()\\n" \\
       "for _ in range(200):\\n    with lock: time.sleep(0.0001)\\n"

def run(*config):
    try:
        one = interpreters.create(*config)
    except TypeError:
        one = interpreters.create()
    for _ in range(3):
        getattr(interpreters, "exec", None) and interpreters.exec(one, CODE) \\
            or interpreters.run_string(one, CODE)
    interpreters.destroy(one)

workers = [threading.Thread(target=run, args=config) for config in ((), ("legacy",), ())]
for worker in workers: worker.start()
for worker in workers: worker.join()
print("done")
"""


def test_subinterpreters(record: Recorder, tmp_path: Path) -> None:
    """With their own GIL or the main one, nothing breaks and nothing overlaps."""
    script = tmp_path / "subinterpreters.py"
    script.write_text(SUBINTERPRETERS)
    record(script)
    assert record.stdout == "done\n"
