"""CPU samples against the truth: the program's own CPU clocks say how its time was spent."""

from __future__ import annotations

import ctypes
import math
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Recorder
from tests.support.programs.cpu_work import WORK, inside, samples_of
from tests.support.recordings import record_here
from tests.support.trace_processor import import_errors, open_trace
from tests.support.validator.samples import Sample
from tests.support.validator.strict import read_strict
from tracer import _core
from tracer import schema as s

HZ = 1000
SIGMAS = 5  # of the binomial noise in a sampled share; exceeded once in two million runs
SECONDS = 0.6  # of CPU time per program
ALTERNATE = """
a, b, seconds = globals()[sys.argv[1]], globals()[sys.argv[2]], float(sys.argv[3])
for _ in range(10):
    A(a, 0.03 * seconds)
    B(b, 0.07 * seconds)
    time.sleep(time.thread_time() % 0.003)
print(spent["A"], spent["B"])
"""
TWO_THREADS = """
a, b, seconds = globals()[sys.argv[1]], globals()[sys.argv[2]], float(sys.argv[3])
threads = [threading.Thread(target=A, args=(a, 0.3 * seconds)),
           threading.Thread(target=B, args=(b, 0.7 * seconds))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(spent["A"], spent["B"])
"""


@pytest.mark.default(
    "pure-pure-threads",
    "pattern-pack-alternate",
)
@pytest.mark.parametrize("program", [ALTERNATE, TWO_THREADS], ids=["alternate", "threads"])
@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("pure", "pure"),
        ("sort", "pure"),
        ("pattern", "pack"),
        ("dump", "pure"),
        ("pack", "sort"),
    ],
)
def test_shares_are_true(record: Recorder, program: str, a: str, b: str) -> None:
    """Code in Python and in C, with and without the GIL, has its share of the samples."""
    trace = record(WORK + program, a, b, str(SECONDS), options=("--cpu-hz", str(HZ)))
    spent_a, spent_b = map(float, record.stdout.split())
    samples = samples_of(trace)
    n, in_a, in_b = len(samples), inside(samples, "A"), inside(samples, "B")
    # Signals come with the kernel's tick, so that many periods count as one random draw.
    throws = len({(each.tid, each.time_ns) for each in samples})
    share = spent_a / (spent_a + spent_b)
    noise = math.sqrt(share * (1 - share) / throws)
    assert abs(in_a / (in_a + in_b) - share) < SIGMAS * noise
    # All CPU time of the two is there, a period more or less at each end of each thread; but
    # no sample covers what a thread does after its last signal; how long that takes is up to
    # the kernel: ticks that find another thread on the CPU do not count for this one.
    surplus_s = (in_a + in_b) / HZ - (spent_a + spent_b)
    ends_s = (4 * n / throws + 4) / HZ + 0.04 * SECONDS
    assert -ends_s - untold_s(trace, samples) < surplus_s < ends_s


def untold_s(trace: Path, samples: list[Sample]) -> float:
    """The time from each thread's last sample to its end, or the recording's."""
    read = read_strict(trace.read_bytes())
    over_ns = max(event.time_ns for event in read.events)
    exit_ns = {
        read.tracks[event.track].tid: event.time_ns
        for event in read.events
        if event.name == s.THREAD_EXIT
    }
    last_ns = {each.tid: each.time_ns for each in samples}
    return sum(exit_ns.get(tid, over_ns) - ns for tid, ns in last_ns.items()) / 1e9


def burn(seconds: float = 0.2) -> None:
    end = time.thread_time() + seconds
    while (now := time.thread_time()) < end:
        until = min(end, now + 0.01)
        while time.thread_time() < until:
            pass
        time.sleep(now % 0.003)  # as in pure()


def record_cpu(function: Callable[[], object], path: Path, hz: int = HZ) -> list[Sample]:
    record_here(function, path, signals=("threads", "cpu"), cpu_hz=hz)
    return samples_of(path)


def test_where_a_sample_is(tmp_path: Path) -> None:
    """A sample has file and line of the leaf, callers outermost first, thread, process."""
    path = tmp_path / "t.pftrace"
    samples = [each for each in record_cpu(burn, path) if each.leaf == "burn"]
    assert samples
    first = burn.__code__.co_firstlineno
    assert {each.frames[-1][1] for each in samples} == {__file__}
    assert {each.frames[-1][2] - first for each in samples} <= set(range(1, 7))
    assert {each.tid for each in samples} == {threading.get_native_id()}
    assert all(each.frames[-2][0] == "record_here" for each in samples)
    assert {each.hz for each in samples} == {HZ}


def test_trace_processor_counts_them(tmp_path: Path) -> None:
    """Perfetto's own module sums up the samples, with files and without errors."""
    path = tmp_path / "t.pftrace"
    samples = record_cpu(burn, path)
    with open_trace(path) as tp:
        assert import_errors(tp) == []
        rows = tp.query(
            "INCLUDE PERFETTO MODULE stacks.cpu_profiling;"
            " SELECT name, self_count FROM cpu_profiling_summary_tree WHERE self_count > 0"
        )
        threads = tp.query(
            "SELECT count(*) AS n, tid FROM perf_sample JOIN thread USING (utid) GROUP BY tid"
        )
    counted: Counter[str] = Counter()
    for row in rows:
        counted[row["name"]] += row["self_count"]
    assert counted == Counter(each.leaf for each in samples)
    assert {row["tid"]: row["n"] for row in threads} == Counter(each.tid for each in samples)


def test_thread_that_python_does_not_know(tmp_path: Path) -> None:
    """A thread made by C code is found automatically, and so is the Python that it runs."""
    libc = ctypes.CDLL(None)
    handle = ctypes.c_ulong()
    tids: list[int] = []

    def from_c(_argument: int | None) -> None:
        tids.append(threading.get_native_id())
        burn(0.7)

    body = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(from_c)

    def run() -> None:
        assert libc.pthread_create(ctypes.byref(handle), None, body, None) == 0
        assert libc.pthread_join(handle, None) == 0

    samples = record_cpu(run, tmp_path / "t.pftrace")
    assert {each.tid for each in samples if each.leaf == "burn"} == set(tids)


def test_blocked_signals_are_told(record: Recorder) -> None:
    """The trace shows that a thread which blocks every signal computes, but not where."""
    trace = record(
        WORK
        + """
import signal
def deaf():
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    pure(1.0)
thread = threading.Thread(target=deaf)
thread.start()
thread.join()
""",
        options=("--cpu-hz", "1000"),
    )
    told = [each for each in samples_of(trace) if each.leaf == s.FRAME_UNSAMPLED]
    assert 500 < len(told) < 1100


DEEP = """
import sys
sys.setrecursionlimit(3000)
def down(n):
    if n:
        return down(n - 1)
    pure(0.2)
down(500)
"""


def test_deep_stack(record: Recorder) -> None:
    """A stack has the innermost 128 frames, and a root that says there are more."""
    samples = samples_of(record(WORK + DEEP, options=("--cpu-hz", "1000")))
    deep = [each for each in samples if each.leaf == "pure" and len(each.frames) > 100]
    assert deep
    for each in deep:
        assert len(each.frames) == 129
        assert each.frames[0] == (s.FRAME_TRUNCATED, "", 0)
        assert {name for name, _, _ in each.frames[1:-1]} == {"down"}


def test_code_that_dies(record: Recorder) -> None:
    """Functions of exec, gone before the writer saw them, keep their names and lines."""
    source = """
for n in range(150):
    space = {"time": time}
    exec(compile(
        f"\\n\\ndef dying_{n}():\\n until = time.thread_time() + 0.002\\n"
        " while time.thread_time() < until:\\n  pass\\n", f"/made/{n}.py", "exec"), space)
    space[f"dying_{n}"]()
    del space
    time.sleep(time.thread_time() % 0.003)
"""
    samples = samples_of(record(WORK + source, options=("--cpu-hz", "5000")))
    dying = [each.frames[-1] for each in samples if each.leaf.startswith("dying_")]
    assert inside(samples, s.FRAME_BROKEN) < len(dying)  # those hit by the kernel's ticks
    for name, path, line in dying:
        assert path == f"/made/{name.removeprefix('dying_')}.py"
        assert line in (4, 5, 6)


def test_names_beyond_ascii(record: Recorder) -> None:
    """Names of every width come out as UTF-8."""
    source = "def größe_名前():\n    pure(0.2)\ngröße_名前()\n"
    samples = samples_of(record(WORK + source, options=("--cpu-hz", "1000")))
    assert inside(samples, "größe_名前")


def test_twice_in_one_process(tmp_path: Path) -> None:
    """A second recording has only its own samples, none of the first."""
    for name in ("a", "b"):
        samples = record_cpu(burn, tmp_path / f"{name}.pftrace")
        assert inside(samples, "burn")
    # Not recording: the handler stays, nothing is sampled.
    burn()
    samples = record_cpu(burn, tmp_path / "c.pftrace", 5000)
    assert inside(samples, "burn")


@pytest.mark.parametrize("rate", [0, 5001, -1])
def test_refused_rates(rate: int) -> None:
    """Rates that the kernel cannot or should not sample at are refused."""
    with pytest.raises(ValueError, match="not a rate from 1 to 5000 Hz"):
        _core.start_sampler(rate)


def test_without_the_signal(record: Recorder) -> None:
    """--no-cpu: no samples and no handler."""
    trace = record(WORK + "pure(0.1)", options=("--no-cpu",))
    assert samples_of(trace) == []


def test_subinterpreter(record: Recorder) -> None:
    """Code of another interpreter is not sampled."""
    module = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    body = "import time; u = time.thread_time() + 0.2\\nwhile time.thread_time() < u: pass"
    source = f"import {module} as i\nn = i.create()\ni.run_string(n, '{body}')\ni.destroy(n)"
    samples = samples_of(record(WORK + source, options=("--cpu-hz", "1000")))
    assert inside(samples, s.FRAME_FOREIGN)


IN_C_CODE = """
import sqlite3, time

def query(connection):
    return connection.execute(
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000)"
        " select sum(i) from n"
    ).fetchone()

connection = sqlite3.connect(":memory:")
while time.process_time() < 1:
    query(connection)
"""
IN_SQLITE = "sqlite3.Connection.execute"


def test_a_known_call_of_c_code_is_named(record: Recorder) -> None:
    """It stands inside the function that calls it, without a file."""
    pytest.importorskip("sqlite3")
    samples = samples_of(record(IN_C_CODE, options=("--cpu-hz", str(HZ))))
    named = [each.frames[-2:] for each in samples if each.frames[-1][0] == IN_SQLITE]
    assert {frames[0][0] for frames in named} == {"query"}
    assert not any(path for *_, (_, path, _) in named)
