"""Pools that are too small, too large, or never closed; and pools that are all right."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

JOB = "/app/pool.py:3 job"
IDLE = "/usr/lib/python3.13/concurrent/futures/thread.py:90 _worker"


def executor(job_ns=100 * MS, jobs_each=8, state="sleep", calls=12, gap_ns=1_000):
    """Two workers of asyncio's executor do jobs; `calls` tasks wait for them all the time."""
    trace = TraceBuilder(argv="pool.py", signals=SIGNALS)
    loop = trace.loop(trace.thread("MainThread").native(0))
    workers = [trace.thread(f"asyncio_{n}") for n in range(2)]
    queue = trace.lock("executor idle", IDLE)
    end = 0
    for n, worker in enumerate(workers):
        at = n * 10
        for _ in range(jobs_each):
            if state == "sleep":
                worker.sleep(at, site=JOB)
            else:
                worker.native(at)
            at += job_ns
            if gap_ns > 1_000:
                worker.lock_wait(at, "executor idle", lock=queue, site=IDLE)
            at += gap_ns
        worker.end(at)
        end = max(end, at)
    for _ in range(calls):
        task = loop.task("fetch", site="/app/pool.py:9 fetch").ready(0).running(1)
        task.awaits(2, "executor", site="/app/pool.py:10 fetch")
        task.ready(end, by=workers[0].wakes(end), waker_thread=workers[0].tid).running(
            end
        ).done(end + 1)
    return trace.ended(end + MS)


def test_starvation(tmp_path):
    """Two workers sleep for 800 ms while ten more calls wait."""
    (found,) = find_in(tmp_path, executor())
    assert found.finding == "thread-pool starvation"
    assert found.text == (
        "Thread-pool starvation: all 2 workers `asyncio_N` are busy for 800 ms (at 10 ns) "
        "and spend 100 % of that time in `sleep` (pool.py:3), while up to 10 more calls of "
        "to_thread or run_in_executor queue for a worker, 8.00 s summed over all of them. A "
        "larger pool would serve them."
    )
    assert found.evidence.duration_ns == 8 * (100 * MS + 1_000) - 10


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"jobs_each": 4}, id="not long"),
        pytest.param({"calls": 2}, id="nobody waits in line"),
        pytest.param({"state": "native"}, id="they compute"),
        pytest.param({"gap_ns": MS}, id="they are free now and then"),
    ],
)
def test_no_starvation(tmp_path, story):
    """A pool that is busy for a while, or with computing, is doing its work."""
    assert kinds(tmp_path, executor(**story)) == []


def crowd(threads=10, lock_part=0.9, active="sleep"):
    """Threads that wait for locks for a part of their time; nobody else is to be seen."""
    trace = TraceBuilder(argv="crowd.py", signals=SIGNALS)
    whole, parts = 100 * MS, int(100 * MS * lock_part)
    for n in range(threads):
        # A lock each: this is not about a convoy.
        lock = trace.lock("Lock", f"/app/crowd.py:{n} work")
        worker = trace.thread(f"worker-{n}")
        worker.lock_wait(0, "Lock", lock=lock, site="/app/crowd.py:9 work")
        worker.sleep(parts, site="/app/crowd.py:11 work")
        worker.end(whole)
    return trace.ended(whole + MS)


def test_too_many_workers(tmp_path):
    """Ten threads that do the work of one."""
    (found,) = find_in(tmp_path, crowd())
    assert found.finding == "too many workers"
    assert found.text == (
        "10 threads `worker-N` together do the work of 1.0 threads; the rest of their time "
        "they wait (90 % for locks). More workers make it slower, not faster."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"threads": 7}, id="few"),
        pytest.param({"lock_part": 0.7}, id="three at a time"),
    ],
)
def test_not_too_many_workers(tmp_path, story):
    """A few, or such as work."""
    assert kinds(tmp_path, crowd(**story)) == []


def idle(threads=8, ends=False, killed=False, queues=8):
    """Workers that have done their work and wait for more."""
    trace = TraceBuilder(argv="idle.py", signals=SIGNALS)
    for n in range(threads):
        worker = trace.thread(f"worker-{n}").native(0)
        worker.lock_wait(MS, "Queue.get", lock=n % queues + 1, site="/app/idle.py:4 work")
        if ends:
            worker.end(9 * MS)
    if killed:
        trace.instant(trace.tracer, 10 * MS, "note", "tracer", reason="alive")
        return trace
    return trace.ended(10 * MS)


def test_workers_never_exit(tmp_path):
    """Eight that still wait when the program ends."""
    (found,) = find_in(tmp_path, idle())
    assert found.finding == "workers never exit"
    assert found.severity_ns == 0
    assert found.text == (
        "8 threads `worker-N` never exit: at the end of the program they still wait in "
        "Queue.get (idle.py:4), each for work of its own that never comes."
    )
    assert (found.evidence.start_ns, found.evidence.duration_ns) == (1_001_000_000, 9 * MS)


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"threads": 7}, id="few"),
        pytest.param({"ends": True}, id="they exit"),
        pytest.param({"killed": True}, id="the program did not end"),
        pytest.param({"queues": 1}, id="a pool of daemons"),
    ],
)
def test_workers_that_exit(tmp_path, story):
    """A few, or such as end with the program."""
    assert kinds(tmp_path, idle(**story)) == []
