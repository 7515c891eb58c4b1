"""Servers that wait for themselves."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

SERVING = "/usr/lib/python3.13/socketserver.py:235 BaseServer.serve_forever"
CALL = "/app/web.py:21 call_data"


def server(ns=700 * MS, own_peer=True, inside=True, others=False):
    """`server` idles, then asks, inside its own loop, for what it serves itself."""
    trace = TraceBuilder(argv="web.py", signals=SIGNALS)
    thread = trace.thread("server")
    thread.io(0, "select.poll.poll", stack=SERVING).native(5 * MS)
    stack = f"{CALL}\n{SERVING}" if inside else CALL
    thread.io(10 * MS, "socket.recv", site=CALL, stack=stack, own_peer=own_peer)
    end = 10 * MS + ns
    thread.native(end).end(end + MS)
    other = trace.thread("second").native(0)
    if others:
        other.io(MS, "socket.accept", site="/app/web.py:40 serve").native(5 * MS)
    other.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_a_server_that_asks_itself(tmp_path):
    (found,) = find_in(tmp_path, server())
    assert found.finding == "deadlock"
    assert found.text == (
        "Deadlock at 10.0 ms, for 700 ms: `server` waits for itself in `socket.recv` in "
        "`call_data` (web.py:21): the other end of the connection is in its own process, "
        "where no other thread serves. Call the function itself, or serve with more threads."
    )
    assert (found.severity_ns, found.evidence.site) == (700 * MS, CALL)


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 400 * MS}, id="short"),
        pytest.param({"own_peer": False}, id="another process"),
        pytest.param({"others": True}, id="another thread serves"),
        pytest.param({"inside": False}, id="a client after serving"),
    ],
)
def test_a_client(tmp_path, story):
    assert kinds(tmp_path, server(**story)) == []
