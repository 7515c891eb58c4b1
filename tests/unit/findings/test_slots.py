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
        "400 ms (at 40 ns). Each connection goes to the next waiter after 200 ms on "
        "average, 99 % of that time asleep in `report` (web.py:7). Hold it for less time, or "
        "raise the number of connections."
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
        "total, the longest 400 ms (at 40 ns). Nobody gave one back in that time. A "
        "connection must be given back whatever happens: with `with`, or in a `finally`."
    )


def test_short_waits_that_were_given_up(tmp_path):
    assert kinds(tmp_path, pool(held_ns=80 * MS, acquired=False)) == []


def lock_of_the_dead(holder_ends=True, fails=False, served=0):
    """`crasher` takes a lock; others wait for it for 0.4 s each. `served`: each of them got it
    that often before, after 10 ms."""
    trace = TraceBuilder(argv="dead.py", signals=SIGNALS)
    crasher, lock = (
        trace.thread("crasher").native(0),
        trace.lock("Lock", "/app/dead.py:9 work"),
    )
    waiters = [trace.thread(f"worker-{n}").native(0) for n in range(2)]
    for n in range(2 * served):
        waiter, at, site = waiters[n % 2], n * 15 * MS, "/app/dead.py:9 work"
        waiter.lock_wait(at, "Lock", lock=lock, owner=crasher, site=site)
        lock.hold(at, at + 10 * MS, crasher, "/app/dead.py:4 crash")
        crasher.release(at + 10 * MS, lock, to=waiter)
        waiter.native(at + 10 * MS)
    after = 2 * served * 15 * MS
    lock.hold(MS + after, 600 * MS + after, crasher, site="/app/dead.py:4 crash")
    for n, waiter in enumerate(waiters):
        waiter.lock_wait(
            after + 10 * MS,
            "Lock",
            lock=lock,
            owner=crasher,
            site="/app/dead.py:9 work",
            acquired=False,
        ).native(after + 410 * MS + n)
    if fails:
        where = {s.ARG_SITE: "/app/dead.py:2 parse"}
        at = after + 100 * MS
        trace.instant(crasher.track, at, "failed: ValueError", s.CAT_THREAD, **where)
    crasher.end(after + (100 * MS if holder_ends else 610 * MS))
    for waiter in waiters:
        waiter.end(after + 605 * MS)
    return trace.ended(after + 620 * MS)


@pytest.mark.parametrize("served", [0, 6])
def test_a_lock_whose_holder_has_failed(tmp_path, served):
    """Also where others queued for it before: now nobody passes any more."""
    (found,) = find_in(tmp_path, lock_of_the_dead(fails=True, served=served))
    assert found.finding == "slots never returned"
    assert (
        "`crasher` failed (ValueError) in `parse` (dead.py:2) without releasing it, acquired "
        "at dead.py:4. "
    ) in found.text


def test_a_lock_whose_holder_has_ended(tmp_path):
    (found,) = find_in(tmp_path, lock_of_the_dead())
    assert found.finding == "slots never returned"
    assert found.text == (
        "Slots never returned: 2 threads `worker-N` waited for a Lock in `work` (dead.py:9) "
        "in vain: 2 waits, 800 ms in total, the longest 400 ms (at 10.0 ms). `crasher` ended "
        "without releasing it, acquired at dead.py:4. Acquire it with `with`, or release it "
        "in a `finally`."
    )


def test_a_lock_whose_holder_lives(tmp_path):
    """It was given up, and may come yet."""
    assert kinds(tmp_path, lock_of_the_dead(holder_ends=False)) == ["wait in vain"]


def conditions(functions=("Pool.get",)):
    """Six threads wait for a condition, in these functions; two have something at a time."""
    stacks = [
        "/usr/lib/python3.13/threading.py:359 Condition.wait\n"
        f"/app/web.py:5 {function}\n/app/web.py:9 work"
        for function in functions
    ]
    trace = TraceBuilder(argv="web.py", signals=SIGNALS)
    users = [trace.thread(f"req-{n}").native(0) for n in range(10)]
    lock = trace.lock("Condition.wait", "/app/web.py:5 Pool.get")
    for n, user in enumerate(users[2:]):
        user.lock_wait(
            n * 10, "Condition.wait", lock=lock, site="/app/web.py:9 work",
            stack=stacks[n % len(stacks)],
        )  # fmt: skip
    for n, user in enumerate(users):
        got = n // 2 * 200 * MS + n * 10
        user.sleep(got, site="/app/web.py:10 work")
        if n + 2 < len(users):
            user.release(got + 200 * MS, lock, to=users[n + 2])
        user.native(got + 200 * MS).end(got + 200 * MS + 15)
    return trace.ended(2_000 * MS)


def test_a_pool_made_of_a_condition(tmp_path):
    (found,) = find_in(tmp_path, conditions())
    assert found.finding == "pool exhausted"
    assert "share 2 slots of a pool made of a `Condition`" in found.text


def test_a_condition_with_two_sides(tmp_path):
    """Those who put and those who take wait for each other: no pool."""
    assert kinds(tmp_path, conditions(("Buffer.put", "Buffer.get"))) == []


def nested(gives=True, waits_ns=600 * MS):
    """Both requests have a connection and wait for another one; one gives up."""
    trace = TraceBuilder(argv="web.py", signals=SIGNALS)
    loop = trace.loop(trace.thread("MainThread"))
    name, site = "connection pool (asyncpg)", "/app/web.py:4 find"
    lock = trace.lock(name, site)
    first, second = (loop.task("update", site="/app/web.py:2 update") for _ in range(2))
    for n, task in enumerate((first, second)):
        task.ready(n).running(n + 10).awaits(
            n + 20, name, lock=lock.id, site=site, acquired=bool(n)
        )
    ends = 20 + waits_ns
    first.ready(ends).running(ends + 1)
    second.ready(ends + 10, by=first if gives else None)
    first.done(ends + 20)
    second.running(ends + 30).done(ends + 40)
    return trace.ended(ends + 100)


def test_a_slot_that_was_kept_in_a_wait_for_another(tmp_path):
    (found,) = find_in(tmp_path, nested())
    assert found.finding == "deadlock"
    assert found.text == (
        "Deadlock at 21 ns, for 600 ms: 2 tasks `update` wait for a connection of asyncpg's "
        "pool in `find` (web.py:4), and they hold them all. Who holds a connection must not "
        "wait for another one of the same pool: give it back before, or use a second pool."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"gives": False}, id="somebody else gives"),
        pytest.param({"waits_ns": 200 * MS}, id="little is lost"),
    ],
)
def test_a_slot_of_somebody_else(tmp_path, story):
    assert "deadlock" not in kinds(tmp_path, nested(**story))


def test_a_token_is_the_tasks_and_not_the_threads(tmp_path):
    """A worker's thread gives it back; the trace says whose job had it."""
    trace = TraceBuilder(argv="crawl.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    worker = trace.thread("worker").native(0)
    loop = trace.loop(thread)
    has, *wait = [loop.task("ask", site="/app/crawl.py:4 ask") for _ in range(3)]
    site = "/app/crawl.py:5 ask"
    stack = f"/site-packages/trio/_sync.py:300 CapacityLimiter.acquire_on_behalf_of\n{site}"
    has.ready(0).running(1).awaits(MS, "executor", site=site)
    for n, task in enumerate(wait, 1):
        start, end = n * 2 * MS, n * 400 * MS
        task.ready(0).running(start)
        task.awaits(
            start + MS, "CapacityLimiter", site=site, stack=stack, holders=f"ask ({has.id})"
        )
        task.ready(end, by=worker.wakes(end), waker_thread=worker.tid)
        task.running(end + MS).done(end + 2 * MS)
    has.ready(900 * MS, by=worker.wakes(900 * MS), waker_thread=worker.tid)
    has.running(901 * MS).done(902 * MS)
    worker.end(911 * MS)
    thread.end(911 * MS)
    (found,) = find_in(tmp_path, trace.ended(920 * MS))
    assert found.text.startswith(
        "Pool exhausted: 3 tasks `ask` share 1 token of trio's limiter."
    )


def test_a_library_that_paces_its_own_threads(tmp_path):
    """No line of the program waits: how a library limits what it fetches in advance."""
    lib = "/venv/lib/python3.13/site-packages/broker"
    stack = f"{lib}/stub.py:220 Consumer.next\n{lib}/worker.py:80 Worker.run"
    story = {"name": "Semaphore", "stack": stack}
    assert kinds(tmp_path, pool(**story)) == []
    story["stack"] += "\n/app/web.py:6 report"
    assert kinds(tmp_path, pool(**story)) == ["pool exhausted"]


def hook(flows=2, slots=2, by_hook=True, ns=600 * MS):
    """`hooks` waits for a connection; threads wait for its answers and get them then."""
    trace = TraceBuilder(argv="web.py", signals=SIGNALS)
    name = "connection pool (sqlalchemy)"
    hooks, other = trace.thread("hooks").native(0), trace.thread("other").native(0)
    threads = [trace.thread(f"flow-{n}").native(0) for n in range(flows)]
    lock = trace.lock(name, "/app/web.py:22 audit")
    answers = [trace.lock("Queue.get", "/app/web.py:49 run") for _ in threads]
    for n, thread in enumerate(threads):
        thread.lock_wait(n + 5, "Queue.get", lock=answers[n], site="/app/web.py:49 run")
    hooks.lock_wait(
        MS, name, lock=lock, site="/app/web.py:22 audit", stack=GET, acquired=False
    )
    assert hooks.state
    hooks.state.args |= {s.ARG_SLOTS: slots}
    end = MS + ns
    hooks.native(end)
    for n, thread in enumerate(threads):
        (hooks if by_hook else other).release(end + n + 1, answers[n], to=thread)
        thread.native(end + n + 1).end(end + MS)
    for thread in (hooks, other):
        thread.end(end + 2 * MS)
    return trace.ended(end + 3 * MS)


def test_those_who_wait_for_the_one_that_waits(tmp_path):
    (found,) = find_in(tmp_path, hook())
    assert found.finding == "deadlock"
    assert found.text == (
        "Deadlock at 1.00 ms, for 600 ms: `hooks` waits for a connection of SQLAlchemy's pool "
        "in `audit` (web.py:22), and 2 threads `flow-N` hold them all and wait in `run` "
        "(web.py:49) for its end. Give the connection back before waiting for somebody who "
        "needs one."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"slots": 5}, id="there are more connections"),
        pytest.param({"by_hook": False}, id="somebody else answers"),
    ],
)
def test_those_who_may_have_connections(tmp_path, story):
    assert "deadlock" not in kinds(tmp_path, hook(**story))


def test_an_answer_that_comes_soon(tmp_path):
    assert kinds(tmp_path, hook(ns=300 * MS)) == []


def test_permits_that_were_given_up_count_one_by_one(tmp_path):
    trace = TraceBuilder(argv="pub.py", signals=SIGNALS)
    site = "/app/pub.py:22 publish"
    consumer, lock = trace.thread("consumer").native(0), trace.lock("Semaphore", site)
    main, end = trace.thread("MainThread").native(0), trace.lock("Thread.join", "")
    main.lock_wait(
        MS, "Thread.join", lock=end, owner=consumer, site="/app/pub.py:50 main", acquired=True
    )
    for n in range(3):
        at = 10 * MS + n * 300 * MS
        consumer.lock_wait(at, "Semaphore", lock=lock, site=site, acquired=False, stack=site)
        consumer.native(at + 299 * MS)
    consumer.release(950 * MS, end, to=main).end(951 * MS)
    main.native(950 * MS).end(960 * MS)
    (found,) = find_in(tmp_path, trace.ended(961 * MS))
    assert found.text == (
        "Slots never returned: `consumer` waited for a permit of a `Semaphore` in `publish` "
        "(pub.py:22) and gave up: 3 waits, 897 ms in total, the longest 299 ms (at 10.0 ms). "
        "Nobody gave one back in that time. A permit must be given back whatever happens: "
        "with `with`, or in a `finally`."
    )


@pytest.mark.parametrize("takers", [1, 2])
def test_a_permit_that_hands_on_work(tmp_path, takers):
    """`main` gives a permit for each piece of work, and never takes any."""
    trace = TraceBuilder(argv="ask.py", signals=SIGNALS)
    site, wanted = "/app/ask.py:9 answer", trace.lock("Semaphore", "/app/ask.py:9 answer")
    main = trace.thread("MainThread").native(0)
    helpers = [trace.thread(f"helper-{n}").native(0) for n in range(takers)]
    for helper in helpers:
        helper.lock_wait(MS, "Semaphore", lock=wanted, site=site, stack=site)
    for turn in range(4):
        helper, at = helpers[turn % takers], (turn + 1) * 500 * MS
        main.sleep(at - 490 * MS, site="/app/ask.py:24 follow").native(at - MS)
        main.release(at, wanted, to=helper)
        helper.native(at)
        if turn < 3:
            helper.lock_wait(at + 5 * MS, "Semaphore", lock=wanted, site=site, stack=site)
    for turn, helper in enumerate(helpers):
        end = 2_100 * MS + turn * MS
        if takers == 2 and turn != 1:
            main.release(end, wanted, to=helper)
            helper.native(end)
        helper.end(end + MS)
    main.end(2_200 * MS)
    found = kinds(tmp_path, trace.ended(2_300 * MS))
    assert ("pool exhausted" in found) == (takers == 2)
