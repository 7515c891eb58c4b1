"""Servers that are closed, and wait for those they serve."""

import pytest

from tests.support.builder.family import Family
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

LIB = "/usr/lib/python3.13"
JOIN = f"{LIB}/threading.py:1092 Thread.join"
CLOSE = f"{LIB}/socketserver.py:710 ThreadingMixIn.server_close"
STOP = "/app/web.py:28 stop"
RECV = f"{LIB}/socket.py:719 SocketIO.readinto"
REQUEST = f"{LIB}/http/server.py:404 BaseHTTPRequestHandler.handle_one_request"


def closes(ns=800 * MS, closer=CLOSE, handler=REQUEST):
    """The main thread joins the thread of a request, which reads from its client."""
    trace = TraceBuilder(argv="web.py", signals=SIGNALS)
    main, serves = trace.thread("MainThread").running(0), trace.thread("Thread-1")
    serves.io(0, "socket.recv_into", site=RECV, stack=f"{RECV}\n{handler}")
    lock = trace.lock("Thread.join", STOP)
    main.lock_wait(
        10 * MS, "Thread.join", lock=lock, site=STOP, stack=f"{JOIN}\n{closer}\n{STOP}\n{MAIN}"
    )
    serves.native(10 * MS + ns - 1).release(10 * MS + ns, lock, to=main)
    serves.end(10 * MS + ns)
    main.running(10 * MS + ns).end(20 * MS + ns)
    return trace.ended(30 * MS + ns)


MAIN = "/app/web.py:40 <module>"


def test_threads_of_clients_that_stay(tmp_path):
    (found,) = find_in(tmp_path, closes())
    assert (found.finding, found.severity_ns) == ("slow end", 800 * MS)
    assert found.text == (
        "Slow end: `MainThread` in `stop` (web.py:28) waits 800 ms (at 10.0 ms) in "
        "`ThreadingMixIn.server_close` for requests that are not over: `Thread-1`, 99 % of "
        "that time in `socket.recv_into` in `SocketIO.readinto` (socket.py:719), for another "
        "request of a client that has kept its connection."
    )
    assert "daemon_threads" in found.next_step
    assert found.evidence.site == STOP


def test_a_request_that_is_worked_on(tmp_path):
    (found,) = find_in(tmp_path, closes(handler="/app/web.py:9 Handler.handle"))
    assert "not over: `Thread-1`" in found.text
    assert "another request" not in found.text


def test_a_listener_of_logging(tmp_path):
    (found,) = find_in(
        tmp_path,
        closes(closer=f"{LIB}/logging/handlers.py:1639 QueueListener.stop", handler=MAIN),
    )
    assert (
        "`QueueListener.stop` for the records that are still in its queue: `Thread-1`, 99 % of"
        in found.text
    )
    assert found.next_step == "Log less, or with handlers that do not wait."


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 400 * MS}, id="it ends soon"),
        pytest.param({"closer": "/app/web.py:3 Server.server_close"}, id="another server"),
    ],
)
def test_a_close_that_is_no_fault(tmp_path, story):
    assert kinds(tmp_path, closes(**story)) == []


FORKING = f"{LIB}/socketserver.py:574 ForkingMixIn.collect_children"
FORKING_CLOSE = f"{LIB}/socketserver.py:635 ForkingMixIn.server_close"


def test_children_of_clients_that_stay(tmp_path):
    family = Family("web.py", pid=100, signals=SIGNALS)
    first = family.first
    main = first.thread("MainThread", 100).native(0)
    child = family.fork(main, 5 * MS, 101)
    serves = family.main(child).sleep(6 * MS, site="/app/web.py:16 convert")
    main.io(
        10 * MS, "os.waitpid", site=STOP, stack=f"{FORKING}\n{FORKING_CLOSE}\n{STOP}\n{MAIN}"
    )
    serves.native(700 * MS).end(701 * MS)
    child.ended(702 * MS)
    main.native(710 * MS).end(720 * MS)
    first.ended(730 * MS)
    (found,) = find_in(tmp_path, family)
    assert "`ForkingMixIn.server_close` for requests that are not over: its children, " in (
        found.text
    )
    assert "asleep in `convert` (web.py:16)" in found.text
