"""Pools of connections: too small, never given back, or all right."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

GET = (
    "/site-packages/sqlalchemy/pool/impl.py:155 QueuePool._do_get\n/app/web.py:6 report\n"
    "/usr/lib/python3.13/threading.py:992 Thread.run"
)
QUEUE = "/usr/lib/python3.13/queue.py:213 Queue.get\n/app/web.py:6 report"


def pool(
    held_ns=200 * MS, threads=6, name="Condition.wait", stack=GET, acquired=True, slots=0
):
    """Two connections go round; each thread keeps one asleep."""
    trace = TraceBuilder(argv="web.py", signals=SIGNALS)
    users = [trace.thread(f"req-{n}") for n in range(threads)]
    lock = trace.lock(name, "/app/web.py:6 report")
    for n, user in enumerate(users):
        user.native(0)
        if n >= 2:
            user.lock_wait(
                n * 10, name, lock=lock, site="/app/web.py:6 report", stack=stack,
                acquired=acquired,
            )  # fmt: skip
            assert user.state
            user.state.args |= {s.ARG_SLOTS: slots} if slots else {}
    for n, user in enumerate(users):
        got = n // 2 * held_ns + n * 10
        user.sleep(got, site="/app/web.py:7 report")
        if n + 2 < threads and acquired:
            user.release(got + held_ns, lock, to=users[n + 2])
        user.native(got + held_ns).end(got + held_ns + 15)
    return trace.ended(threads * held_ns)


def test_a_small_pool(tmp_path):
    (found,) = find_in(tmp_path, pool())
    assert found.finding == "pool exhausted"
    assert found.text == (
        "Pool exhausted: 6 threads `req-N` share 2 connections of SQLAlchemy's pool. 4 waits "
        "in `report` (web.py:6, via `QueuePool._do_get`) lost 1.20 s in total, the longest "
        "400 ms (at 40 ns). Each connection is kept for 200 ms on average, 99 % of that time "
        "asleep in `report` (web.py:7). Keep it for less time, or raise the number of "
        "connections."
    )
    assert found.severity_ns == 2 * 200 * MS + 2 * 400 * MS
    assert (found.evidence.duration_ns, found.evidence.site) == (
        400 * MS,
        "/app/web.py:6 report",
    )


def test_a_pool_made_of_a_queue(tmp_path):
    (found,) = find_in(tmp_path, pool(threads=10, name="Queue.get", stack=QUEUE))
    assert found.finding == "pool exhausted"
    assert "share 2 slots of a pool made of a `Queue`" in found.text


def test_a_pool_that_the_trace_names(tmp_path):
    """The name says what is waited for, and `slots` how many there are."""
    stack = GET.replace("QueuePool._do_get", "QueuePool._next")
    name = "connection pool (psycopg_pool)"
    (found,) = find_in(tmp_path, pool(name=name, stack=stack, slots=3))
    assert "6 threads `req-N` share 3 connections of psycopg's pool." in found.text


def test_a_query_in_a_pools_function_waits_for_no_slot(tmp_path):
    assert kinds(tmp_path, pool(name="query (psycopg)")) == []


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"held_ns": 80 * MS}, id="little is lost"),
        pytest.param({"threads": 2}, id="nobody waits"),
        pytest.param(
            {"name": "Queue.get", "stack": QUEUE, "threads": 6}, id="mostly others put"
        ),
    ],
)
def test_a_pool_that_is_all_right(tmp_path, story):
    assert kinds(tmp_path, pool(**story)) == []


def test_slots_that_never_come_back(tmp_path):
    """Everybody who waits gives up."""
    (found,) = find_in(tmp_path, pool(acquired=False))
    assert found.finding == "slots never returned"
    assert found.text == (
        "Slots never returned: 4 threads `req-N` waited for a connection of SQLAlchemy's pool "
        "in `report` (web.py:6, via `QueuePool._do_get`) and gave up: 4 waits, 1.20 s in "
        "total, the longest 400 ms (at 40 ns). Nobody gave one back in that time. Whoever "
        "takes a connection must give it back however it ends: with `with`, or in a `finally`."
    )


def test_short_waits_that_were_given_up(tmp_path):
    assert kinds(tmp_path, pool(held_ns=80 * MS, acquired=False)) == []
