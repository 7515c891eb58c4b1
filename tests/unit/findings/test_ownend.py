"""Threads that wait for the end of what they are in the middle of."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in

SERVER = "/usr/lib/python3.13/socketserver.py"
STOP = "/app/web.py:8 Handler.stop"
SERVE = f"{SERVER}:240 BaseServer.serve_forever"
SHUTDOWN = f"{SERVER}:256 BaseServer.shutdown"


def stops(ns=800 * MS, caller=SERVE, acquired=False):
    """A thread calls `shutdown` of a server; `caller`: what called that."""
    trace = TraceBuilder(argv="web.py", signals=SIGNALS)
    thread, end = trace.thread("http").native(0), 10 * MS + ns
    other = trace.thread("other").native(0)
    lock = trace.lock("Event.wait", STOP)
    stack = f"{SHUTDOWN}\n{STOP}\n{caller}"
    thread.lock_wait(
        10 * MS, "Event.wait", lock=lock, site=STOP, stack=stack, acquired=acquired
    )
    if acquired:
        other.release(end, lock, to=thread)
    thread.native(end).end(end + MS)
    other.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_shutdown_from_a_handler(tmp_path):
    (found,) = find_in(tmp_path, stops())
    assert (found.finding, found.severity_ns) == ("deadlock", 800 * MS)
    assert found.text == (
        "Deadlock at 10.0 ms, for 800 ms: `http` in `Handler.stop` (web.py:8) waits in "
        "`BaseServer.shutdown` for the end of `BaseServer.serve_forever`, which is its own "
        "caller and so cannot end. Call `shutdown` from another thread."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 400 * MS}, id="not long"),
        pytest.param({"caller": "/app/web.py:20 main"}, id="from another thread"),
        pytest.param({"acquired": True}, id="it ended"),
    ],
)
def test_shutdown_that_is_no_deadlock(tmp_path, story):
    found = find_in(tmp_path, stops(**story))
    assert not any("its own caller" in one.text for one in found)


FLUSH, WORK = "/app/jobs.py:5 flush", "/app/jobs.py:8 work"


def joins(ns=800 * MS, got=True, within=WORK, acquired=False):
    """`worker` gets an item, and joins a queue in a function that `within` calls."""
    trace = TraceBuilder(argv="jobs.py", signals=SIGNALS)
    worker, main = trace.thread("worker"), trace.thread("MainThread").native(0)
    items, done = trace.lock("Queue.get", WORK), trace.lock("Queue.join", FLUSH)
    if got:
        worker.lock_wait(0, "Queue.get", lock=items, site=WORK)
        main.release(5 * MS, items, to=worker)
    worker.native(5 * MS)
    end, stack = 10 * MS + ns, f"{FLUSH}\n{within}"
    worker.lock_wait(
        10 * MS, "Queue.join", lock=done, site=FLUSH, stack=stack, acquired=acquired
    )
    if acquired:
        main.release(end, done, to=worker)
    worker.native(end).end(end + MS)
    main.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_a_worker_joins_its_own_queue(tmp_path):
    found = find_in(tmp_path, joins())[0]
    assert found.finding == "deadlock"
    assert found.text == (
        "Deadlock at 10.0 ms, for 800 ms: `worker` in `flush` (jobs.py:5) waits in "
        "`Queue.join` in the middle of an item that it took in `Queue.get` in `work` "
        "(jobs.py:8): if it is the same queue, that item is never done, and the join never "
        "ends. Call `task_done` first, or join from a thread that takes nothing."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"got": False}, id="it took nothing"),
        pytest.param({"within": "/app/jobs.py:20 main"}, id="not in that function"),
        pytest.param({"acquired": True}, id="the join ended"),
    ],
)
def test_a_join_of_others(tmp_path, story):
    assert "deadlock" not in [one.finding for one in find_in(tmp_path, joins(**story))]
