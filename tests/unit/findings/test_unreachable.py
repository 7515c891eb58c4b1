"""A pool that can not connect."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in

PACKAGES = "/venv/lib/python3.13/site-packages"
HANDLE = "/app/shop.py:9 handle"
CONNECTS = (
    f"{PACKAGES}/psycopg/connection.py:109 Connection.connect\n"
    f"{PACKAGES}/psycopg_pool/pool.py:624 ConnectionPool._connect\n"
    f"{PACKAGES}/psycopg_pool/pool.py:608 ConnectionPool.worker"
)
ANOTHER = f"{PACKAGES}/psycopg/connection.py:109 Connection.connect\n/app/shop.py:3 audit"


ASKS = f"{PACKAGES}/psycopg/connection.py:300 Connection.wait\n/app/shop.py:12 handle"


def waits(stack=CONNECTS, tries_at=20 * MS, asks_at=0):
    """Three threads wait for a connection of a pool, and give up."""
    trace = TraceBuilder(argv="shop.py", signals=SIGNALS)
    end = 1_200 * MS
    lock = trace.lock("connection pool (psycopg_pool)", HANDLE)
    worker = trace.thread("pool-1-worker-0").native(0)
    worker.io(tries_at, "connect", site=stack.split("\n")[-1], stack=stack)
    worker.native(tries_at + MS // 10).end(end + 2_000 * MS)
    if asks_at:
        asks = trace.thread("web-9").native(0)
        asks.io(asks_at, "select.poll.poll", site=ASKS.split("\n")[-1], stack=ASKS)
        asks.native(asks_at + MS).end(end)
    for n in range(3):
        thread = trace.thread(f"web-{n}").native(0)
        thread.lock_wait(
            10 * MS, "connection pool (psycopg_pool)", lock=lock, site=HANDLE, acquired=False
        )
        thread.native(end).end(end + 2_000 * MS)
    return trace.ended(end + 2_001 * MS)


def test_nobody_has_the_connections(tmp_path):
    found = find_in(tmp_path, waits())[0]
    assert found.finding == "wait in vain"
    assert found.text == (
        "Waited in vain: 3 threads `web-N` in `handle` (shop.py:9) gave up waiting for a "
        "connection of psycopg's pool: 3 waits, 3.57 s in total, the longest 1.19 s (at "
        "10.0 ms). Nobody got one: the pool itself tried to connect, 1 time that the trace "
        "shows, and has no connection to give. Check whether the server is up and at that "
        "address; the pool's log has the error."
    )


def test_it_could_connect_before(tmp_path):
    found = find_in(tmp_path, waits(tries_at=40 * MS, asks_at=5 * MS))[0]
    assert "tried to connect, 1 time that" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"stack": ANOTHER}, id="somebody else connects"),
        pytest.param({"tries_at": 2_000 * MS}, id="the pool connects later"),
        pytest.param({"asks_at": 30 * MS}, id="it could connect, and somebody asks by it"),
    ],
)
def test_somebody_has_them(tmp_path, story):
    assert find_in(tmp_path, waits(**story))[0].finding == "slots never returned"
