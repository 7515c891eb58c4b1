"""Pools that are too small, too large, or never closed; and pools that are all right."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

IDLE = "/usr/lib/python3.13/concurrent/futures/thread.py:90 _worker"


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
