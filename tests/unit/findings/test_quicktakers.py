"""Who has the slots, where some got theirs at once and others had to wait for it."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in


def sessions(waited_ns, slots=4):
    """Four tasks ask with a connection and end; the last one waited for its own, as it was
    made. A fifth one gets none."""
    trace = TraceBuilder(argv="web.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, name = trace.loop(thread), "connection pool (sqlalchemy)"
    lock = trace.lock(name, GETS := "/app/web.py:30 read")
    tasks = [loop.task("ask", site="/app/web.py:40 ask") for _ in range(5)]
    for n, task in enumerate(tasks[:4]):
        at = (1 + 30 * n) * MS
        task.ready(at).running(at)
        if n == 3:
            task.awaits(at, name, lock=lock.id, site=GETS, slots=slots)
            at += waited_ns
            task.ready(at, waker="io").running(at)
        task.awaits(at + MS, "executor (aiosqlite)", site=GETS)
        task.ready(at + 2 * MS, waker="io").running(at + 2 * MS).done(at + 3 * MS)
    last = tasks[4].ready(200 * MS).running(200 * MS)
    last.awaits(201 * MS, name, lock=lock.id, site=GETS, slots=slots, acquired=False)
    last.ready(1_000 * MS, waker="timer").running(1_000 * MS).done(1_001 * MS)
    thread.end(1_002 * MS)
    return trace.ended(1_003 * MS)


@pytest.mark.parametrize("waited_ns", [5 * MS, 12 * MS])
def test_some_waited_longer_for_their_connection(tmp_path, waited_ns):
    """A busy machine is slow to make one: all who asked are told, as the pool is full."""
    (found,) = find_in(tmp_path, sessions(waited_ns))
    assert "; 4 tasks `ask` held one last" in found.text


def test_of_a_small_pool_only_who_waited(tmp_path):
    (found,) = find_in(tmp_path, sessions(12 * MS, slots=1))
    assert "; `ask` held one last" in found.text
