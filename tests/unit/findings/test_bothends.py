"""A client and its server that each wait for the other one to send."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in

GET, POST = "/app/web.py:14 get", "/app/web.py:30 Handler.do_POST"
SOCKET = "/usr/lib/python3.13/socket.py:719 SocketIO.readinto"
BEGIN = (
    f"{SOCKET}\n/usr/lib/python3.13/http/client.py:341 HTTPResponse.begin\n/app/web.py:14 get"
)
CLIENT = f"{SOCKET}\n/usr/lib/python3.13/http/client.py:492 HTTPResponse.read\n{GET}"
HANDLE = "/usr/lib/python3.13/http/server.py:404 BaseHTTPRequestHandler.handle_one_request"


def talk(ns=1_500 * MS, ends_ns=MS, own=True, body=False, reads=CLIENT, asks=False):
    """`ends_ns`: how long after the server the client stops waiting. `asks`: the handler
    itself reads a response."""
    trace = TraceBuilder(argv="web.py", signals=SIGNALS)
    main, server = trace.thread("MainThread").native(0), trace.thread("server").native(0)
    site = POST if body else SOCKET
    stack = f"{SOCKET}\n{POST}\n{HANDLE}" if body else f"{SOCKET}\n{HANDLE}"
    if asks:
        stack = f"{CLIENT.rpartition(chr(10))[0]}\n{stack}"
    end = 10 * MS + ns
    server.io(10 * MS, "socket.recv_into", site=site, stack=stack).native(end)
    main.io(11 * MS, "socket.recv_into", site=GET, stack=reads, own_peer=own)
    last = end + max(ends_ns, 0) + MS
    main.native(end + ends_ns).end(last)
    server.end(last)
    return trace.ended(last + MS)


def test_a_response_without_an_end(tmp_path):
    found = find_in(tmp_path, talk())[0]
    assert found.finding == "deadlock"
    assert found.text == (
        "Deadlock at 11.0 ms, for 1.50 s: `MainThread` in `get` (web.py:14) waits in "
        "`socket.recv_into` for the rest of a response, while `server`, which serves it, "
        "waits in `socket.recv_into` for the next request, until one of them gave up. Send a "
        "`Content-Length` with the response, or close the connection after it (`Connection: "
        "close`)."
    )


def test_a_request_without_an_end(tmp_path):
    found = find_in(tmp_path, talk(body=True, reads=BEGIN))[0]
    assert "`server` in `Handler.do_POST` (web.py:30), which serves it, waits" in found.text
    assert found.text.endswith("Send as much as `Content-Length` says.")


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 400 * MS}, id="not long"),
        pytest.param({"ends_ns": 300 * MS}, id="it was not for that server"),
        pytest.param({"ends_ns": -300 * MS}, id="the answer came"),
        pytest.param({"own": False}, id="a server elsewhere"),
        pytest.param({"body": True, "asks": True}, id="the handler waits for another server"),
        pytest.param({"reads": f"{SOCKET}\n{GET}"}, id="no response of HTTP"),
        pytest.param({"reads": BEGIN}, id="nothing of the response came: it serves another"),
    ],
)
def test_ends_that_do_not_wait_for_each_other(tmp_path, story):
    assert "deadlock" not in [one.finding for one in find_in(tmp_path, talk(**story))]
