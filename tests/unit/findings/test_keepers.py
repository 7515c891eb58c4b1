"""A library's pool whose connections are in use for longer than others wait for one."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

NOTIFY, LIST = "/app/shop.py:17 stream", "/app/shop.py:23 list_orders"
PACKAGE = "/venv/lib/python3.13/site-packages"


def streams(count=2, what="query (psycopg)", pool="psycopg_pool", until=1_000 * MS, slots=2):
    """`stream` awaits something while two others wait for a connection, 600 ms each."""
    trace = TraceBuilder(argv="shop.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop = trace.loop(thread)
    kept = [loop.task("stream", site="/app/shop.py:12 stream") for _ in range(count)]
    late = [loop.task("list_orders", site="/app/shop.py:20 list_orders") for _ in range(2)]
    for n, task in enumerate(kept):
        task.ready(0).running(n * MS).awaits(n * MS + 1, what, site=NOTIFY)
        loop.step(task, n * MS, n * MS + 1)
    lock = trace.lock(f"connection pool ({pool})", LIST)
    for n, task in enumerate(late):
        task.ready(0).running(20 * MS + n * MS)
        task.awaits(
            20 * MS + n * MS + 1, f"connection pool ({pool})", site=LIST, lock=lock.id,
            acquired=False, **{s.ARG_SLOTS: slots},
        )  # fmt: skip
        loop.step(task, 20 * MS + n * MS, 20 * MS + n * MS + 1)
    at = 620 * MS
    if until < at:
        for n, task in enumerate(kept):
            since = until + n * MS
            task.ready(since, waker="io").running(since).awaits(
                since + 1, "sleep", site=NOTIFY
            )
            loop.step(task, since, since + 1)
    for n, task in enumerate(late):
        since = at + n * MS
        task.ready(since, waker="timer").running(since).done(since + 1, "failed: PoolTimeout")
        loop.step(task, since, since + 1)
    for n, task in enumerate(kept):
        task.ready(1_000 * MS, waker="io").running(1_000 * MS + n).done(1_000 * MS + n + 1)
        loop.step(task, 1_000 * MS + n, 1_000 * MS + n + 1)
    thread.end(1_001 * MS)
    return trace.ended(1_002 * MS)


def test_connections_that_are_in_use_all_the_while(tmp_path):
    (found,) = find_in(tmp_path, streams())
    assert found.finding == "pool exhausted"
    assert found.text == (
        "Pool exhausted: 2 tasks `stream` have all 2 connections of psycopg's pool, 100 % of "
        "that time awaiting `query (psycopg)` in `stream` (shop.py:17). Meanwhile 2 tasks "
        "`list_orders` waited for one in `list_orders` (shop.py:23) and gave up: 2 waits, "
        "1.20 s in total, the longest 600 ms (at 20.0 ms). Hold it for less time, or raise "
        "the number of connections."
    )
    assert found.evidence.site == LIST


def test_another_drivers_query_in_a_pool_of_sqlalchemy(tmp_path):
    (found,) = find_in(tmp_path, streams(what="query (asyncpg)", pool="sqlalchemy"))
    assert found.text.startswith("Pool exhausted: 2 tasks `stream` have all 2 connections of")


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"count": 1}, id="another connection is in nobody's use"),
        pytest.param({"what": "query (asyncpg)"}, id="of another library"),
        pytest.param({"what": "sleep"}, id="asleep"),
        pytest.param({"until": 200 * MS}, id="for a part of that time"),
    ],
)
def test_connections_that_may_be_lost(tmp_path, story):
    assert kinds(tmp_path, streams(**story)) == ["slots never returned"]


def threads(count=1, query_ns=900 * MS):
    """Threads query while another one waits for the pool's only connection, 600 ms."""
    trace = TraceBuilder(argv="shop.py", signals=SIGNALS)
    name = "connection pool (psycopg_pool)"
    lock = trace.lock(name, LIST)
    stack = f"{PACKAGE}/psycopg/connection.py:40 Connection.execute\n{NOTIFY}"
    users = [trace.thread("report").native(0) for _ in range(count)]
    late = trace.thread("late").native(0)
    for n, user in enumerate(users):
        user.io(n, "select.poll.poll", site=NOTIFY, stack=stack).native(query_ns + n)
    late.lock_wait(
        20 * MS, name, lock=lock, site=LIST, acquired=False,
        stack=f"{PACKAGE}/psycopg_pool/pool.py:9 ConnectionPool._getconn_unchecked\n{LIST}",
    )  # fmt: skip
    assert late.state
    late.state.args |= {s.ARG_SLOTS: 1}
    late.native(620 * MS)
    for thread in (*users, late):
        thread.end(1_000 * MS)
    return trace.ended(1_001 * MS)


def test_a_thread_whose_query_is_long(tmp_path):
    found, *_ = find_in(tmp_path, threads())
    assert found.text.startswith(
        "Pool exhausted: `report` has the only connection of psycopg's pool, 100 % of that "
        "time in `select.poll.poll` in `stream` (shop.py:17"
    )


def test_a_thread_whose_query_was_short(tmp_path):
    assert "pool exhausted" not in kinds(tmp_path, threads(query_ns=100 * MS))


def crowd(
    how=s.DONE, lives=False, users=12, slots=0, what="query (psycopg)", pool="psycopg_pool"
):
    """Many used the pool before; three of them ended another way, or live on."""
    trace = TraceBuilder(argv="shop.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop, at = trace.loop(thread), MS
    used = [loop.task("export", site="/app/shop.py:30 export") for _ in range(users)]
    for task in used:
        task.ready(at).running(at).awaits(at + 1, what, site="/app/shop.py:32 export")
        loop.step(task, at, at + 1)
        task.ready(at + MS, waker="io").running(at + MS)
        loop.step(task, at + MS, at + MS + 1)
        if lives and task in used[:3]:
            task.awaits(at + MS + 1, "sleep", site="/app/shop.py:33 export")
        else:
            task.done(at + MS + 1, how if task in used[:3] else s.DONE)
        at += 2 * MS
    name = f"connection pool ({pool})"
    lock, late = trace.lock(name, LIST), loop.task("late", site="/app/shop.py:20 late")
    late.ready(at).running(at).awaits(
        at + 1,
        name,
        site=LIST,
        lock=lock.id,
        acquired=False,
        **({s.ARG_SLOTS: slots} if slots else {}),
    )
    loop.step(late, at, at + 1)
    end = at + 700 * MS
    late.ready(end, waker="timer").running(end).done(end + 1, "failed: PoolTimeout")
    loop.step(late, end, end + 1)
    thread.end(end + MS)
    return trace.ended(end + 2 * MS)


@pytest.mark.parametrize(
    ("story", "said"),
    [
        pytest.param(
            {"how": s.CANCELLED},
            "3 tasks `export` held one last in `export` (shop.py:32), and",
            id="cancelled",
        ),
        pytest.param(
            {"how": "failed: KeyError"}, "3 tasks `export` held one last", id="failed"
        ),
        pytest.param(
            {"lives": True},
            "3 tasks `export` held one last in `export` (shop.py:32), 100 % of that time "
            "asleep",
            id="alive",
        ),
        pytest.param(
            {}, "Nobody gave one back in that time. A connection", id="nobody in particular"
        ),
        pytest.param(
            {"users": 5},
            "5 tasks `export` held one last in `export` (shop.py:32), and ended",
            id="few",
        ),
    ],
)
def test_who_may_have_them(tmp_path, story, said):
    (found,) = find_in(tmp_path, crowd(**story))
    assert found.finding == "slots never returned"
    assert said in found.text


def test_the_last_ones_to_ask_as_many_as_there_are(tmp_path):
    """Of all who still live, those who asked first have probably given theirs back."""
    (found,) = find_in(tmp_path, crowd(lives=True, slots=1))
    assert "`export` held one last" in found.text
    assert "3 tasks" not in found.text


def test_a_driver_in_a_thread_below_sqlalchemy(tmp_path):
    (found,) = find_in(
        tmp_path, crowd(lives=True, what="executor (aiosqlite)", pool="sqlalchemy")
    )
    assert "3 tasks `export` held one last" in found.text


def requests(leaked=2, slots=2, lines=(9, 9)):
    """`MainThread` asks the database as it starts, then threads do, one after the other, and
    end; others wait for a connection in vain."""
    trace = TraceBuilder(argv="shop.py", signals=SIGNALS)
    name, at = "connection pool (sqlalchemy)", MS
    lock, asks = trace.lock(name, LIST), f"{PACKAGE}/sqlalchemy/engine.py:40 execute"
    main = trace.thread("MainThread").native(0)
    main.io(at, "sqlite3.Cursor.execute", site=NOTIFY, stack=f"{asks}\n{NOTIFY}")
    main.native(at + MS)
    for n in range(leaked):
        at, site = at + 4 * MS, f"/app/shop.py:{lines[n % 2]} page"
        thread = trace.thread(f"req-{n}").native(at)
        thread.io(at + MS, "sqlite3.Cursor.execute", site=site, stack=f"{asks}\n{site}")
        thread.native(at + 2 * MS).end(at + 3 * MS)
    late = trace.thread("late").native(at)
    stack = f"{PACKAGE}/sqlalchemy/pool.py:9 QueuePool._do_get\n{LIST}"
    late.lock_wait(at + 4 * MS, name, lock=lock, site=LIST, acquired=False, stack=stack)
    assert late.state
    late.state.args |= {s.ARG_SLOTS: slots} if slots else {}
    late.native(at + 700 * MS)
    for thread in (main, late):
        thread.end(at + 800 * MS)
    return trace.ended(at + 801 * MS)


@pytest.mark.parametrize(
    ("story", "said"),
    [
        pytest.param(
            {}, "2 threads `req-N` held one last in `page` (shop.py:9), and ended", id="all"
        ),
        pytest.param(
            {"lines": (9, 12)}, "2 threads `req-N` held one last, and ended", id="two lines"
        ),
        pytest.param(
            {"slots": 3},
            "3 threads `MainThread` and `req-N` held one last.",
            id="another line",
        ),
    ],
)
def test_threads_that_used_the_pool_last(tmp_path, story, said):
    (found,) = find_in(tmp_path, requests(**story))
    assert said in found.text


def importers(other=False, gave_up=3):
    """A thread asks the server, and later gives up one wait after the other."""
    trace = TraceBuilder(argv="shop.py", signals=SIGNALS)
    name = "connection pool (psycopg_pool)"
    lock = trace.lock(name, LIST)
    stack = f"{PACKAGE}/psycopg/connection.py:40 Connection.execute\n{NOTIFY}"
    thread, main = trace.thread("importer").native(0), trace.thread("MainThread").native(0)
    user = main if other else thread
    user.io(MS, "select.poll.poll", site=NOTIFY, stack=stack).native(2 * MS)
    for n in range(gave_up):
        thread.lock_wait(
            20 * MS + n * 300 * MS, name, lock=lock, site=LIST, acquired=False,
            stack=f"{PACKAGE}/psycopg_pool/pool.py:9 ConnectionPool.getconn\n{LIST}",
        )  # fmt: skip
        thread.native(319 * MS + n * 300 * MS)
    for one in (thread, main):
        one.end(1_500 * MS)
    return trace.ended(1_501 * MS)


def test_each_wait_that_was_given_up_counts(tmp_path):
    (found,) = find_in(tmp_path, importers())
    assert found.text.replace(", via `ConnectionPool.getconn`", "") == (
        "Slots never returned: `importer` waited for a connection of psycopg's pool in "
        "`list_orders` (shop.py:23) and gave up: 3 waits, 897 ms in total, the longest 299 ms "
        "(at 20.0 ms). Nobody gave one back in that time; nobody else is known to have used "
        "the pool before. A connection must be given back whatever happens: with `with`, or "
        "in a `finally`."
    )


def test_somebody_else_has_used_the_pool(tmp_path):
    (found,) = find_in(tmp_path, importers(other=True))
    assert "nobody else is known" not in found.text


def left_behind(inside="", how=""):
    """`main` asks the server in `balance`, and then awaits tasks that get no connection. With
    `inside` it awaits them there. `how`: how a task ended that was asking before."""
    trace = TraceBuilder(argv="bot.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, name = trace.loop(thread), "connection pool (asyncpg)"
    main = loop.task("main", site="/app/bot.py:20 main")
    main.ready(0).running(0).awaits(MS, "query (asyncpg)", site="/app/bot.py:9 balance")
    if how:
        asks = loop.task("suggest", site="/app/bot.py:14 suggest").ready(MS).running(2 * MS)
        asks.awaits(2 * MS, "connect (asyncpg)", site="/app/bot.py:15 suggest")
        asks.ready(4 * MS).running(5 * MS).done(6 * MS, how)
    main.ready(7 * MS, waker="io").running(7 * MS)
    site, lock = "/app/bot.py:9 balance", trace.lock(name, "/app/bot.py:8 balance")
    late = [loop.task("command", site="/app/bot.py:12 command", parent=main.id) for _ in "ab"]
    stack = "\n".join(filter(None, (inside and site, "/app/bot.py:25 main")))
    main.awaits(8 * MS, "gather", site=stack.split("\n")[0], stack=stack)
    for n, task in enumerate(late):
        task.ready(8 * MS).running(9 * MS + n).awaits(
            10 * MS + n, name, site="/app/bot.py:8 balance", lock=lock.id, acquired=False
        )
    for n, task in enumerate(late):
        end = 710 * MS + n * MS
        task.ready(end, waker="timer").running(end)
        if n:
            main.ready(end + 1, by=task)
        task.done(end + 2, "failed: TimeoutError")
    main.running(712 * MS).done(713 * MS)
    thread.end(714 * MS)
    return trace.ended(715 * MS)


def test_who_has_left_the_function_in_which_it_asked_does_not_wait_with_a_slot(tmp_path):
    """Nobody knows that it still has the connection, so that is no deadlock."""
    (found,) = find_in(tmp_path, left_behind())
    assert found.finding == "slots never returned"
    assert "`main` held one last in `balance` (bot.py:9). A connection must" in found.text


def test_who_awaits_those_in_the_function_in_which_it_asked(tmp_path):
    (found,) = find_in(tmp_path, left_behind(inside="balance"))
    assert found.finding == "deadlock"
    assert "wait for a connection of asyncpg's pool, which `main` has" in found.text


@pytest.mark.parametrize("how", [s.CANCELLED, s.DONE])
def test_slots_that_may_be_lost_with_the_cancelled(tmp_path, how):
    (found,) = find_in(tmp_path, left_behind(how=how))
    said = (
        "; `suggest` had asked for one in `suggest` (bot.py:15) and was cancelled before "
        "that: a connection may be lost with it."
    )
    assert (said in found.text) == (how == s.CANCELLED)
