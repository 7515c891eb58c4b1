"""Locks used as signals: worker threads that sleep on a lock of their own are idle."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.explaining import answer
from tests.support.finding import MS, SIGNALS, kinds
from tests.support.models import model_of
from tracer import schema as s
from viewer.analysis.locks import lock_rows
from viewer.analysis.threads import thread_rows

LIBRARY = "/usr/lib/python3/site-packages/trio/_core/_thread_cache.py"
WAITS = f"{LIBRARY}:211 WorkerThread._work"
STACK = f"{WAITS}\n/usr/lib/python3.13/threading.py:1012 Thread.run"


def pool(threads=10, *, stack=STACK, acquired=False, in_jobs=False, on_loop=False):
    """Workers that each work for a moment, then wait for 900 ms for the lock they have."""
    trace = TraceBuilder(argv="a.py", signals=SIGNALS, pid=90)
    for n in range(threads):
        worker = trace.thread(f"worker {n}", 100 + n).native(0)
        lock = trace.lock("Lock", WAITS)
        if in_jobs:
            trace.instant(worker.track, MS, s.RUN, s.CAT_THREAD, name="f", site="a.py:1 f")
        if on_loop:
            trace.loop(worker).select(0, MS)
        worker.lock_wait(
            20 * MS, "Lock", lock=lock, site=WAITS, owner=worker, owner_site=WAITS,
            acquired=acquired, stack=stack,
        )  # fmt: skip
        lock.hold(20 * MS, 920 * MS, worker, WAITS)
        worker.native(920 * MS).end(940 * MS)
    return trace.ended(950 * MS)


@pytest.mark.parametrize("acquired", [False, True])
def test_workers_of_a_library_are_idle(tmp_path, acquired):
    """No deadlock, no crowd, no lock that anybody holds; nothing that anyone waited for."""
    trace = pool(acquired=acquired)
    assert kinds(tmp_path, trace) == []
    model = model_of(tmp_path, trace)
    (row,) = lock_rows(model)
    assert (row.is_idle, row.locks, row.waits.count) == (True, 10, 10)
    assert (row.holders, row.waited_for) == ((), ())
    for thread in thread_rows(model):
        assert thread.idle_ns == thread.states["lock"] == 900 * MS
        assert thread.contended_ns == 0
    assert answer(model).problems == ()


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"stack": ""}, id="it is unknown who waits"),
        pytest.param({"in_jobs": True, "acquired": True}, id="taken in an earlier job"),
        pytest.param({"on_loop": True, "acquired": True}, id="taken in an earlier step"),
    ],
)
def test_what_is_not_known_to_be_a_signal(tmp_path, story):
    """It may be the lock of a task that is suspended, or a deadlock."""
    rows = lock_rows(model_of(tmp_path, pool(**story)))
    assert [row.is_idle for row in rows] == [False] * 10
