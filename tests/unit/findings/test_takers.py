"""Who has the slots for which others wait in vain."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

RUN = "/app/crawl.py:8 run"
LIMITER = "/venv/lib/python3.13/site-packages/anyio/_core/_synchronization.py"


def tokens(holders="all"):
    """Two tasks wait for a second token; the trace says who has them."""
    trace = TraceBuilder(argv="crawl.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop = trace.loop(thread)
    tasks = [loop.task("convert", site="/app/crawl.py:5 convert") for _ in range(2)]
    other = loop.task("other", site="/app/crawl.py:30 other")
    other.ready(0).running(1).awaits(MS, "sleep", site="/app/crawl.py:31 other")
    loop.step(other, 1, MS)
    had = [*tasks] if holders == "all" else [tasks[0], other]
    told = ", ".join(f"{task.coro} ({task.id})" for task in had)
    stack = f"{LIMITER}:700 CapacityLimiter.acquire_on_behalf_of\n{RUN}"
    for n, task in enumerate(tasks):
        start = 2 * MS + n * 2 * MS
        task.ready(0).running(start)
        task.awaits(start + MS, "CapacityLimiter", site=RUN, stack=stack, holders=told)
        loop.step(task, start, start + MS)
    thread.io(6 * MS, "select.epoll.poll").running(700 * MS).end(701 * MS)
    return trace


def test_tokens_that_the_trace_knows(tmp_path):
    (found,) = find_in(tmp_path, tokens())
    assert found.finding == "deadlock"
    assert "2 tasks `convert` wait for a token of anyio's limiter in `run`" in found.text
    assert "and they hold them all" in found.text


def test_tokens_of_another_one(tmp_path):
    (found,) = find_in(tmp_path, tokens(holders="other"))
    assert found.finding == "slots never returned"
    assert "2 tasks `convert` and `other` held one last" in found.text


def cancelled(how=s.CANCELLED, ago_ns=50 * MS):
    """`refresh` ends before others wait for a lock of asyncio to the end."""
    trace = TraceBuilder(argv="cache.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop = trace.loop(thread)
    refresh = loop.task("refresh", site="/app/cache.py:3 refresh")
    refresh.ready(0).running(1).awaits(MS, "sleep", site="/app/cache.py:5 refresh")
    loop.step(refresh, 1, MS)
    refresh.ready(2 * MS).running(3 * MS).done(4 * MS, how)
    loop.step(refresh, 3 * MS, 4 * MS)
    start = 4 * MS + ago_ns
    lock = trace.lock("Lock", "/app/cache.py:9 read")
    read = loop.task("read", site="/app/cache.py:8 read")
    read.ready(start).running(start + 1)
    read.awaits(start + MS, "Lock", site="/app/cache.py:9 read", lock=lock.id)
    loop.step(read, start + 1, start + MS)
    end = start + 800 * MS
    thread.io(start + 2 * MS, "select.epoll.poll").running(end).end(end + MS)
    return trace


def test_a_lock_that_was_lost_in_a_cancel(tmp_path):
    (found,) = find_in(tmp_path, cancelled())
    assert found.finding == "slots never returned"
    assert found.text.startswith(
        "Slots never returned: `read` waited for an asyncio.Lock in `read` (cache.py:9) in "
        "vain: 1 wait, "
    )
    assert "Nobody released it in that time; `refresh` was cancelled shortly" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"how": s.DONE}, id="it ended by itself"),
        pytest.param({"ago_ns": 1_200 * MS}, id="long ago"),
    ],
)
def test_a_lock_of_somebody(tmp_path, story):
    assert "slots never returned" not in kinds(tmp_path, cancelled(**story))


PSYCOPG = "/venv/lib/python3.13/site-packages/psycopg/connection.py:40 Connection.execute"
POOL = "/venv/lib/python3.13/site-packages/psycopg_pool/pool.py:9 ConnectionPool.getconn"
POLL = "select.poll.poll"
ORDER, AUDIT = "/app/shop.py:22 place_order", "/app/shop.py:17 audit"


SQLALCHEMY = "/venv/lib/python3.13/site-packages/sqlalchemy/engine/base.py:9 Engine.connect"


def nested(
    orders=2, around=ORDER, others=False, slots=0, ns=600 * MS, pool="psycopg_pool", asks=POLL
):
    """Threads ask the server in one function and then wait for a connection below it."""
    trace = TraceBuilder(argv="shop.py", signals=SIGNALS)
    name, by = f"connection pool ({pool})", PSYCOPG if asks == POLL else SQLALCHEMY
    lock = trace.lock(name, AUDIT)
    threads = [trace.thread(f"order-{n}").native(0) for n in range(orders)]
    if others:
        other = trace.thread("setup").native(0)
        other.io(MS, "select.poll.poll", site=ORDER, stack=f"{PSYCOPG}\n{ORDER}")
        other.native(2 * MS).end(3 * MS)
    for n, thread in enumerate(threads):
        thread.io(4 * MS + n, asks, site=ORDER, stack=f"{by}\n{ORDER}")
        thread.native(5 * MS + n)
        stack = f"{POOL}\n{AUDIT}\n{around}"
        thread.lock_wait(6 * MS + n, name, lock=lock, site=AUDIT, stack=stack, acquired=False)
        assert thread.state
        thread.state.args |= {s.ARG_SLOTS: slots} if slots else {}
    for n, thread in enumerate(threads):
        thread.native(6 * MS + ns + n).end(7 * MS + ns + n)
    return trace.ended(9 * MS + ns)


@pytest.mark.parametrize("story", [{}, {"others": True, "slots": 2}])
def test_connections_of_those_who_wait_for_another(tmp_path, story):
    (found,) = find_in(tmp_path, nested(**story))
    assert found.finding == "deadlock"
    assert (
        "2 threads `order-N` wait for a connection of psycopg's pool in `audit` (shop.py:17, "
        "via `ConnectionPool.getconn`), and they hold them all in `place_order` (shop.py:22)."
    ) in found.text


@pytest.mark.parametrize(
    "asks", ["sqlite3.Cursor.execute", "psycopg2.extensions.cursor.execute"]
)
def test_connections_of_a_driver_in_c(tmp_path, asks):
    (found,) = find_in(tmp_path, nested(pool="sqlalchemy", asks=asks))
    assert found.finding == "deadlock"
    assert "and they hold them all in `place_order` (shop.py:22)." in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"around": "/app/shop.py:40 main"}, id="used in a call that is over"),
        pytest.param({"others": True}, id="somebody else may have one"),
        pytest.param({"others": True, "slots": 3}, id="they cannot have all"),
    ],
)
def test_connections_of_somebody(tmp_path, story):
    assert kinds(tmp_path, nested(**story)) == ["slots never returned"]


def listeners(asks="query (asyncpg)", lives=True, package="asyncpg", line=11):
    """`lifespan` makes a pool, `listen` asks with its connection and goes on to wait, and
    `find` gets none."""
    trace = TraceBuilder(argv="web.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, name = trace.loop(thread), f"connection pool ({package})"
    lifespan = loop.task("lifespan", site="/app/web.py:20 lifespan")
    lifespan.ready(0).running(0).awaits(
        MS, "connect (asyncpg)", site="/app/web.py:21 lifespan"
    )
    lifespan.ready(2 * MS).running(2 * MS).awaits(3 * MS, "sleep")
    listen = loop.task("listen", site="/app/web.py:9 listen")
    listen.ready(3 * MS).running(4 * MS).awaits(5 * MS, asks, site="/app/web.py:10 listen")
    listen.ready(6 * MS).running(6 * MS)
    lock, bell = trace.lock(name, "/app/web.py:30 find"), trace.lock("Event", "")
    if lives:
        site = f"/app/web.py:{line} listen"
        listen.awaits(7 * MS, "Event", lock=bell.id, site=site, stack=site)
    else:
        listen.done(7 * MS)  # long before `find` gives up
    find = loop.task("find", site="/app/web.py:30 find")
    find.ready(8 * MS).running(9 * MS)
    find.awaits(10 * MS, name, lock=lock.id, site="/app/web.py:30 find", acquired=False)
    find.ready(900 * MS, waker="timer").running(900 * MS).done(901 * MS)
    thread.end(902 * MS)
    return trace.ended(903 * MS)


def test_who_asked_and_still_lives_has_the_connection(tmp_path):
    (found,) = find_in(tmp_path, listeners())
    assert found.text.startswith(
        "Pool exhausted: `listen` has a connection of asyncpg's pool, 100 % of that time "
        "awaiting `Event` in `listen` (web.py:11). Meanwhile `find` waited for one in `find` "
        "(web.py:30) and gave up: 1 wait, "
    )


def test_who_asked_and_is_not_there_any_more_may_have_given_back(tmp_path):
    (found,) = find_in(tmp_path, listeners(line=9))
    assert found.finding == "slots never returned"
    assert (
        "; `listen` held one last in `listen` (web.py:10), 100 % of that time awaiting "
        "`Event` in `listen` (web.py:9)."
    ) in found.text


def test_who_asked_and_has_ended_may_have_the_connection(tmp_path):
    (found,) = find_in(tmp_path, listeners(lives=False))
    assert "; `listen` held one last in `listen` (web.py:10), and ended." in found.text


def test_who_made_the_pool_has_no_connection(tmp_path):
    (found,) = find_in(tmp_path, listeners(asks="connect (asyncpg)"))
    assert "Nobody gave one back in that time. " in found.text


def test_who_connects_for_a_request_may_have_the_connection(tmp_path):
    (found,) = find_in(tmp_path, listeners(asks="connect (aiohttp)", package="aiohttp"))
    assert "; `listen` held one last, " in found.text


CRAWL = "/app/crawl.py:13 crawl"


def greenlets(other="", what="pool slot", ns=900 * MS, *, is_alone=True):
    """Two greenlets of a pool want to start others in it; `other` is what one more does. Not
    `is_alone`: another thread runs an asyncio loop."""
    trace = TraceBuilder(argv="crawl.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread, s.TRACK_GREENLETS_PREFIX)
    lock = trace.lock(what, CRAWL)
    main = loop.task("<module>", site="/app/crawl.py:18 <module>")
    main.ready(0).running(0).awaits(MS, "wait", site="/app/crawl.py:18 <module>")
    stack = f"{CRAWL}\n/x/site-packages/gevent/pool.py:390 Pool.start"
    stack = "/x/site-packages/gevent/pool.py:390 Pool.start\n" + CRAWL
    for _ in range(2):
        crawl = loop.task("crawl", site="/app/crawl.py:10 crawl").ready(1).running(2)
        crawl.awaits(10 * MS, what, acquired=False, lock=lock.id, site=CRAWL, stack=stack)
    if other:
        more = loop.task("fetch", site="/app/crawl.py:7 fetch").ready(1).running(2)
        more.awaits(3, other, site="/app/crawl.py:8 fetch")
    if not is_alone:
        other_thread = trace.thread("control").running(0)
        control = trace.loop(other_thread, s.TRACK_LOOP_PREFIX)
        serve = control.task("serve", site="/app/control.py:3 serve").ready(0).running(1_000)
        serve.done(2_000)
        other_thread.end(3_000)
    thread.end(10 * MS + ns)
    return trace.ended(10 * MS + ns)


@pytest.mark.parametrize("is_alone", [True, False])
def test_greenlets_have_all_the_places_that_they_wait_for(tmp_path, is_alone):
    """They are greenlets also where another loop has tasks."""
    found, *_ = find_in(tmp_path, greenlets(is_alone=is_alone))
    assert found.finding == "deadlock"
    assert "2 greenlets `crawl` wait for a worker of gevent's pool" in found.text
    assert "and they hold them all" in found.text


@pytest.mark.parametrize("other", ["sleep", "socket"])
def test_another_greenlet_may_have_one(tmp_path, other):
    found, *_ = find_in(tmp_path, greenlets(other))
    assert found.finding == "slots never returned"


ALBUM, TRACK = "/app/album.py:11 fetch_album", "/app/album.py:7 fetch_track"


def albums(line=13, other="", inner=True, ns=900 * MS, had=(), more=""):
    """Two tasks have a permit and wait for another one in what they call at a line of the
    function in which two others wait for one; `other` is what one more task does. `had`: which
    of the five have one, as the trace says, and `more` whether others do."""
    trace = TraceBuilder(argv="album.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, end = trace.loop(thread, s.TRACK_TRIO_PREFIX), 10 * MS + ns
    lock = trace.lock("Semaphore", ALBUM)
    main = loop.task("main", site="/app/album.py:20 main")
    main.ready(0).running(0).awaits(MS, "nursery", site="/app/album.py:22 main")
    acquire = "/x/site-packages/trio/_sync.py:420 Semaphore.acquire\n"
    site = "/app/album.py:10 fetch_album"
    tasks = [loop.task("fetch_album", site=site) for _ in range(4)]
    upload = loop.task("upload", site="/app/album.py:30 upload") if other else main
    named = [f"{who.coro} ({who.id})" for who in [*tasks, upload]]
    told = {"holders": ", ".join(named[n] for n in had) + more} if had else {}
    for n, task in enumerate(tasks):
        task.ready(1)
        is_inner = n > 1 and inner
        stack = f"{TRACK}\n/app/album.py:{line} fetch_album" if is_inner else ALBUM
        task.running(2).awaits(
            10 * MS + n,
            "Semaphore",
            acquired=False,
            lock=lock.id,
            site=TRACK if is_inner else ALBUM,
            stack=acquire + stack,
            **told,
        )
        task.ready(end, waker="timer").running(end).done(end + MS)
    if other:
        upload.ready(1).running(2).awaits(3, other, site="/app/album.py:31 upload")
        upload.ready(end, waker="timer").running(end).done(end + MS)
    main.ready(end, waker="timer").running(end + MS).done(end + 2 * MS)
    thread.end(end + 3 * MS)
    return trace.ended(end + 4 * MS)


def test_whoever_is_further_in_has_one(tmp_path):
    found, *_ = find_in(tmp_path, albums())
    assert found.finding == "deadlock"
    assert found.text == (
        "Deadlock at 10.0 ms, for 900 ms: 4 trio tasks `fetch_album` wait for a permit of a "
        "`Semaphore` in `fetch_track` (album.py:7, via `Semaphore.acquire`), and of these 2 "
        "trio tasks `fetch_album` hold them all in `fetch_album` (album.py:11, via "
        "`Semaphore.acquire`). Who holds a permit must not wait for another one of the same "
        "pool: give it back before, or use a second pool."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"line": 9}, id="it comes before that line"),
        pytest.param({"inner": False}, id="all wait at one line"),
        pytest.param({"other": "sleep"}, id="another task may have them"),
    ],
)
def test_nobody_is_known_to_have_one(tmp_path, story):
    assert kinds(tmp_path, albums(**story)) == ["slots never returned"]


def test_whoever_is_further_in_had_one_last(tmp_path):
    found, *_ = find_in(tmp_path, albums(other="sleep"))
    assert found.text.endswith(
        "Nobody gave one back in that time; 2 trio tasks `fetch_album` held one last in "
        "`fetch_album` (album.py:11, via `Semaphore.acquire`). Who holds a permit must not "
        "wait for another one of the same pool: give it back before, or use a second pool."
    )


def test_whoever_is_further_in_has_one_as_the_trace_says(tmp_path):
    """So no other task has one, whatever it does."""
    (found,) = find_in(tmp_path, albums(other="sleep", had=(2, 3)))
    assert found.finding == "deadlock"
    assert (
        "and of these 2 trio tasks `fetch_album` hold them all in `fetch_album`" in found.text
    )


def test_it_is_not_known_where_those_got_one_who_are_not_further_in(tmp_path):
    (found,) = find_in(tmp_path, albums(other="sleep", had=(0, 1, 2, 3)))
    assert found.finding == "deadlock"
    assert "hold them all. Who holds" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"had": (2, 4)}, id="another task has one"),
        pytest.param({"had": (2, 3), "more": ", …"}, id="somebody has one who is not known"),
    ],
)
def test_others_have_one_as_well(tmp_path, story):
    assert kinds(tmp_path, albums(other="sleep", **story)) == ["slots never returned"]


def tunnels(ns=700 * MS, line=26, awaits="socket", short=False):
    """Two tasks have passed the line at which a third one waits for a permit in vain, and
    await something in the same function. `short`: they go on after a third of that."""
    trace = TraceBuilder(argv="proxy.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, end = trace.loop(thread), 10 * MS + ns
    for n in range(2):
        task = loop.task("tunnel", site="/app/proxy.py:20 tunnel").ready(n).running(n)
        stack = f"/lib/asyncio/streams.py:730 StreamReader.read\n/app/proxy.py:{line} tunnel"
        site = f"/app/proxy.py:{line} tunnel"
        task.awaits(MS + n, awaits, site=site, stack=stack)
        if short:
            task.ready(ns // 3 + n, waker="io").running(ns // 3 + n)
            task.awaits(ns // 3 + MS + n, "sleep", site="/app/proxy.py:40 rest")
        task.ready(end + MS + n, waker="io").running(end + MS + n).done(end + MS + n)
    late = loop.task("tunnel", site="/app/proxy.py:20 tunnel").ready(8 * MS).running(9 * MS)
    late.awaits(10 * MS, "Semaphore", lock=5, site="/app/proxy.py:24 tunnel")
    late.ready(end, waker="timer", via="Timeout._on_timeout").running(end)
    late.done(end, s.CANCELLED)
    thread.end(end + 3 * MS)
    return trace.ended(end + 4 * MS)


def test_permits_of_those_who_got_past_that_line(tmp_path):
    (found,) = find_in(tmp_path, tunnels())
    assert found.text.startswith(
        "Pool exhausted: 2 tasks `tunnel` have permits of a `Semaphore`, 100 % of that time "
        "awaiting `socket` in `tunnel` (proxy.py:26). Meanwhile `tunnel` waited for one in "
        "`tunnel` (proxy.py:24) and gave up: 1 wait, 700 ms (at 10.0 ms). "
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"line": 22}, id="they are before that line"),
        pytest.param({"short": True}, id="they went on"),
    ],
)
def test_nobody_is_known_to_have_got_one(tmp_path, story):
    (found,) = find_in(tmp_path, tunnels(**story))
    assert found.finding == "slots never returned"
