"""Servers that are told to stop and wait for open requests."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

PACKAGES = "/venv/lib/python3.13/site-packages"
UVICORN = f"{PACKAGES}/uvicorn/server.py:319 Server._wait_tasks_to_complete"
AIOHTTP = f"{PACKAGES}/aiohttp/web_server.py:71 Server.shutdown"
EVENTS = "/app/feed.py:10 events"


def service(waits=UVICORN, stops_ns=1_200 * MS, since_ns=0, until_ns=-50 * MS, site=EVENTS,
            how=s.DONE, by=False):  # fmt: skip
    """`events` sleeps again and again; the server is told to stop at 500 ms, and looks every
    100 ms whether it is still there. `until_ns`: its end, from that of the stop on. `by`: the
    server's task made it."""
    trace = TraceBuilder(argv="feed.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, stop = trace.loop(thread), 500 * MS
    end = stop + stops_ns
    server = loop.task("Server.serve", site=f"{PACKAGES}/uvicorn/server.py:88 Server.serve")
    request = loop.task("events", site=site, parent=server.id if by else 0)
    request.ready(since_ns).running(since_ns)
    at = since_ns
    while at < end + until_ns:
        request.awaits(at, "sleep", site=site, stack=site)
        at = min(at + 150 * MS, end + until_ns)
        request.ready(at).running(at)
    request.done(at + 1, how)
    server.ready(5).running(5)
    for at in range(stop, end, 100 * MS):
        server.awaits(at + 7, "sleep", site=waits, stack=waits)
        server.ready(at + 100 * MS).running(at + 100 * MS + 5)
    server.done(end + MS)
    last = max(end, end + until_ns) + 2 * MS
    thread.end(last)
    return trace.ended(last + MS)


@pytest.mark.parametrize(
    ("waits", "name", "limit"),
    [
        pytest.param(UVICORN, "uvicorn", "timeout_graceful_shutdown", id="uvicorn"),
        pytest.param(AIOHTTP, "aiohttp", "shutdown_timeout", id="aiohttp"),
    ],
)
def test_a_stream_that_does_not_end(tmp_path, waits, name, limit):
    (found,) = find_in(tmp_path, service(waits))
    assert found.finding == "slow end"
    assert found.text == (
        f"Slow end: {name} was told to stop and waited 1.20 s (at 500 ms) for open requests, "
        f"99 % of that time asleep in `events` (feed.py:10)."
    )
    assert found.next_step.endswith(f"or set a limit (`{limit}`).")
    assert found.evidence.site == found.behind == EVENTS


CUT = {"until_ns": 5 * MS, "how": s.CANCELLED}


def test_a_stream_that_the_server_cancels_in_the_end(tmp_path):
    (found,) = find_in(tmp_path, service(**CUT))
    assert "open requests, 99 % of that time asleep in `events` (feed.py:10)." in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({**CUT, "how": s.DONE}, id="it ends afterwards"),
        pytest.param({**CUT, "by": True}, id="it runs beside the server"),
        pytest.param({**CUT, "until_ns": 100 * MS}, id="it is cancelled later"),
        pytest.param({"stops_ns": 400 * MS}, id="it ends soon"),
        pytest.param({"until_ns": 300 * MS}, id="it lives on: nobody waits for it"),
        pytest.param({"until_ns": -400 * MS}, id="it ended before"),
        pytest.param({"since_ns": 900 * MS}, id="it came later"),
        pytest.param({"site": f"{PACKAGES}/starlette/responses.py:9 wait"}, id="a library's"),
        pytest.param({"waits": "/app/server.py:3 Server.shutdown"}, id="another server"),
    ],
)
def test_a_stop_that_is_no_fault(tmp_path, story):
    assert kinds(tmp_path, service(**story)) == []


CLOSED = "/usr/lib/python3.13/asyncio/base_events.py:415 Server.wait_closed"
STOP = "/app/feed.py:30 stop"


def test_wait_closed_waits_for_a_connection(tmp_path):
    """asyncio's own servers are stopped by a task of the program."""
    (found,) = find_in(tmp_path, closed())
    assert found.text == (
        "Slow end: `main` in `stop` (feed.py:30) waits in `Server.wait_closed` 900 ms (at "
        "100 ms) for open requests, 99 % of that time awaiting `socket` in `handle` "
        "(feed.py:9)."
    )
    assert found.next_step.startswith("Let `handle` end when the server stops")


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"until_ns": 500 * MS}, id="it ends soon"),
        pytest.param({"waits": "/app/server.py:3 Server.wait_closed"}, id="another server"),
    ],
)
def test_a_server_that_is_closed_at_once(tmp_path, story):
    assert kinds(tmp_path, closed(**story)) == []


def closed(until_ns=1_000 * MS, waits=CLOSED):
    trace = TraceBuilder(argv="feed.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, site = trace.loop(thread), "/app/feed.py:9 handle"
    handle = loop.task("handle", site=site).ready(0).running(1)
    handle.awaits(5, "socket", site=site, stack=site)
    main = loop.task("main", site="/app/feed.py:20 main").ready(6).running(7)
    main.awaits(100 * MS, "Server.wait_closed", site=STOP, stack=f"{waits}\n{STOP}")
    handle.ready(until_ns - 3).running(until_ns - 2).done(until_ns - 1)
    main.ready(until_ns).running(until_ns + 1).done(until_ns + 2)
    thread.end(until_ns + MS)
    return trace.ended(until_ns + 2 * MS)
