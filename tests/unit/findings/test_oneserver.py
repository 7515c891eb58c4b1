"""Servers of one thread, whose clients wait for each other's requests."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

SERVING = "/usr/lib/python3.13/socketserver.py:235 BaseServer.serve_forever"
LOADS, ASK = "/app/web.py:10 load_rows", "/app/client.py:33 ask"


def served(
    clients=3, ns=150 * MS, own=True, seconds=False, works=True, accepts=False, stack=SERVING
):
    """`http` answers its clients in turn, `ns` for each; all of them ask at 10 ms, twice."""
    trace = TraceBuilder(argv="web.py", signals=SIGNALS)
    http, asking = trace.thread("http"), [trace.thread("client") for _ in range(clients)]
    if seconds:
        trace.thread("second").io(0, "socket.accept", site="/app/web.py:40 serve").native(
            5 * MS
        )
    http.io(0, "select.poll.poll", site=stack, stack=stack)
    for client in asking:
        client.native(0)
    at = 10 * MS
    for _ in range(2):
        for n, client in enumerate(asking):
            client.io(at + n, "socket.recv_into", site=ASK, own_peer=own)
        for client in asking:
            if accepts:
                http.io(at, "socket.accept", site=LOADS)
            elif works:
                http.sleep(at, site=LOADS)
            at += ns
            client.native(at)
        http.io(at + 1, "select.poll.poll", site=stack, stack=stack)
        at += 10 * MS
    for thread in (http, *asking):
        thread.end(at)
    return trace.ended(at + MS)


def test_clients_wait_for_each_other(tmp_path):
    (found,) = find_in(tmp_path, served())
    assert found.finding == "pool exhausted"
    assert found.text == (
        "Pool exhausted: `http` is the only thread that serves, one request after the other. "
        "3 threads `client` in `ask` (client.py:33) waited for it: 6 waits, the longest "
        "450 ms (at 10.0 ms); 900 ms of that in total while it served another, 100 % of that "
        "time asleep in `load_rows` (web.py:10). Serve with more threads "
        "(`ThreadingHTTPServer`, `ThreadingMixIn`), or do what is slow elsewhere."
    )
    assert found.evidence.site == ASK


def test_a_loop_by_hand(tmp_path):
    """A `select` at a line of the program: its `accept` takes moments."""
    (found,) = find_in(tmp_path, served(stack="/app/web.py:30 serve"))
    assert found.text.startswith("Pool exhausted: `http` is the only thread that serves")


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 70 * MS}, id="little is lost"),
        pytest.param({"clients": 1, "ns": 900 * MS}, id="a single client"),
        pytest.param({"own": False}, id="another process"),
        pytest.param({"seconds": True}, id="another thread serves"),
        pytest.param({"works": False}, id="it waits for something else"),
        pytest.param({"accepts": True}, id="it hands connections to others"),
    ],
)
def test_clients_that_do_not(tmp_path, story):
    assert "pool exhausted" not in kinds(tmp_path, served(**story))
