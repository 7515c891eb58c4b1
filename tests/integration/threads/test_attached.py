"""Free-threaded Python: lanes of attached threads, locks with their owners, calls; no GIL."""

import sys
import threading
import time
from pathlib import Path

import pytest

from tests.conftest import Recorder
from tests.support.recordings import record_here
from tests.support.validator.rules import validate
from tests.support.validator.strict import read_strict
from tracer import schema as s

pytestmark = pytest.mark.skipif(
    "t" not in sys.abiflags,
    reason="needs a Python without a GIL: python3 -m uv run --python 3.13t pytest",
)


def compute(until: threading.Event) -> None:
    while not until.is_set():
        sum(range(1000))


def test_two_threads_run_at_once(tmp_path: Path) -> None:
    """Both are attached at the same time; the validator forbids any sign of a GIL."""
    both, end = threading.Barrier(2), threading.Event()

    def work() -> None:
        both.wait()
        compute(end)

    def run() -> None:
        thread = threading.Thread(target=work, name="other")
        thread.start()
        both.wait()
        for _ in range(300):
            sum(range(1000))
        end.set()
        thread.join()

    signals = ("gil", "io", "locks", "threads")  # not the kernel's, which depend on CPUs
    summary, totals = record_here(run, tmp_path / "t.pftrace", signals=signals)
    assert totals.dropped == 0
    lanes = {lane.name: lane for lane in summary.lanes.values()}
    spans = [
        (each.start_ns, each.end_ns or 1 << 63) for each in lanes["other"].named(s.ATTACHED)
    ]
    assert any(
        start < (each.end_ns or 1 << 63) and each.start_ns < end_ns
        for each in lanes["MainThread"].named(s.ATTACHED)
        for start, end_ns in spans
    )
    assert not lanes["other"].named(s.RUNNING) + lanes["other"].named(s.GIL_WAIT)


def test_a_lock_has_its_owner(tmp_path: Path) -> None:
    """A wait names the owner, where it took the lock, and who released it."""
    lock, taken = threading.Lock(), threading.Event()

    def owner() -> None:
        with lock:
            taken.set()
            time.sleep(0.05)

    def run() -> None:
        thread = threading.Thread(target=owner, name="owner")
        thread.start()
        taken.wait()
        with lock:
            pass
        thread.join()

    path = tmp_path / "t.pftrace"
    summary, _ = record_here(run, path)
    main = next(lane for lane in summary.lanes.values() if lane.name == "MainThread")
    (wait,) = main.named("lock wait: Lock")
    assert wait.args[s.ARG_OWNER_NAME] == "owner"
    assert str(wait.args[s.ARG_OWNER_SITE]).endswith(
        "test_a_lock_has_its_owner.<locals>.owner"
    )
    assert wait.args[s.ARG_ACQUIRED]
    releases = [
        event
        for event in read_strict(path.read_bytes()).events
        if event.name == s.RELEASE and event.args[s.ARG_LOCK] == wait.args[s.ARG_LOCK]
    ]
    assert len(releases) == 1


def test_calls_cut_the_lane(tmp_path: Path) -> None:
    summary, _ = record_here(
        lambda: time.sleep(0.01), tmp_path / "t.pftrace", signals=("gil", "io")
    )
    (lane,) = summary.lanes.values()
    assert lane.states == [s.ATTACHED, s.SLEEP, s.ATTACHED]


CHURN = """
import threading, queue
locks = [threading.Lock() for _ in range(4)] + [threading.RLock() for _ in range(4)]
counts = [0] * len(locks)
work = queue.SimpleQueue()
def one(number):
    for turn in range(3000):
        at = (turn * 7 + number) % len(locks)
        with locks[at]:
            if at >= 4:
                with locks[at]:
                    counts[at] += 1
            else:
                counts[at] += 1
        if turn % 50 == 0:
            exec(compile(f"def f():\\n with lock: pass\\nf()", f"<{number}-{turn}>", "exec"),
                 {"lock": locks[0]})
            work.put(turn)
            work.get()
for round in range(3):
    threads = [threading.Thread(target=one, args=(number,)) for number in range(6)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
print(sum(counts))
"""


def test_churn(record: Recorder) -> None:
    """Six threads, eight locks, and code that dies while in our tables: counts are right."""
    trace = record(CHURN)
    assert record.stdout == f"{3 * 6 * 3000}\n"
    assert validate(trace.read_bytes()).lanes


def test_samples_are_refused_with_a_reason(record: Recorder) -> None:
    trace = record("pass")
    told = read_strict(trace.read_bytes())
    disabled = {e.args[s.ARG_HOOK] for e in told.events if e.name == s.HOOK_DISABLED}
    assert disabled == {"cpu"}
    assert "without a GIL" in record.stderr
