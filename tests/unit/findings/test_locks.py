"""Locks held across an await, deadlocks; and locks that are all right."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

TAKES = "/app/convoy.py:7 work"


def across(rounds=8, hold_ns=20 * MS, kind="asyncio.Lock", awaits=True, blocked=0):
    """Two tasks take an asyncio lock in turn, and sleep, or compute, while they hold it."""
    trace = TraceBuilder(argv="cache.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop = trace.loop(thread)
    site, sleeps = "/app/cache.py:9 reader", "/app/cache.py:11 reader"
    lock = trace.lock(kind, site)
    tasks = [loop.task("reader", site="/app/cache.py:8 reader") for _ in range(2)]
    for task in tasks:
        task.ready(0)
    has, wants = tasks
    now = MS
    has.running(now)
    for n in range(rounds):
        # `has` has just been given the lock and runs; `wants` comes to wait for it.
        run_ns = MS // 10 if awaits else hold_ns
        loop.step(has, now, now + run_ns)
        begin = now
        now += run_ns
        has.awaits(now, "sleep", site=sleeps)
        wants.running(now).awaits(
            now + MS // 10, "Lock", lock=lock.id, site=site,
            owner_task=has.id, owner_name=has.name, owner_site=site,
        )  # fmt: skip
        loop.step(wants, now, now + MS // 10)
        end = max(begin + hold_ns, now + MS // 5)
        if blocked:  # another task keeps the loop for a part of the time
            other = loop.task("other", site="/app/cache.py:30 other")
            other.ready(now + MS // 5).running(now + MS // 5)
            other.done(now + MS // 5 + blocked)
            loop.step(other, now + MS // 5, now + MS // 5 + blocked)
        else:
            loop.select(now + MS // 10, end)
        has.ready(end, waker="timer").running(end)
        wants.ready(end + MS // 10, by=has)
        lock.hold(begin, end + MS // 10, has, site)
        loop.step(has, end, end + MS // 10)
        now = end + MS // 10
        if n == rounds - 1:
            has.done(now)
            wants.running(now).done(now + MS)
            loop.step(wants, now, now + MS)
        else:
            has.awaits(now, "sleep", site="/app/cache.py:14 reader")
            wants.running(now)
            has.ready(now + MS // 20, waker="timer")
        has, wants = wants, has
    thread.end(now + 2 * MS)
    return trace.ended(now + 3 * MS)


@pytest.mark.parametrize(
    "kind",
    [
        "asyncio.Lock",
        "anyio.Lock",
        "trio.Lock",
        "trio.StrictFIFOLock",
        "gevent.Lock",
        "gevent.RLock",
        "twisted.DeferredLock",
    ],
)
def test_held_across_await(kind, tmp_path):
    """The owner sleeps with the lock; the other one waits for it each time."""
    (found,) = find_in(tmp_path, across(kind=kind))
    assert found.finding == "lock held across await"
    a = "an" if kind.startswith("a") else "a"
    assert found.text == (
        f"`reader` (cache.py:9) holds {a} {kind} across `await sleep` (cache.py:11): "
        "for 99 % of the time it is held; the longest hold took 20.1 ms. Meanwhile others "
        "queue for it: 8 waits, 159 ms summed over all of them, the longest 19.9 ms."
    )
    assert found.next_step.startswith("Note until when to sleep while the lock is held")
    assert found.evidence.lock == 1
    assert found.evidence.task in (1, 2)


def test_held_while_others_block_the_loop(tmp_path):
    """Long steps are the fault where they take half of the time that it is held."""
    story = {"rounds": 8, "hold_ns": 60 * MS}
    assert "lock held across await" not in kinds(tmp_path, across(**story, blocked=40 * MS))
    assert "lock held across await" in kinds(tmp_path, across(**story, blocked=25 * MS))


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"rounds": 4}, id="few waits"),
        pytest.param({"hold_ns": 5 * MS}, id="little waiting"),
        pytest.param({"kind": "asyncio.Semaphore"}, id="a semaphore is there to limit"),
        pytest.param({"awaits": False, "hold_ns": 9 * MS}, id="computes meanwhile"),
    ],
)
def test_not_held_across_await(tmp_path, story):
    """What is rare or intended is not reported."""
    assert kinds(tmp_path, across(**story)) == []


def once(hold_ns, others=6):
    """All wait at once, while the first task awaits what is done only once."""
    trace = TraceBuilder(argv="cache.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop, site = trace.loop(thread), "/app/cache.py:9 get_pool"
    lock = trace.lock("asyncio.Lock", site)
    asks = "/app/cache.py:20 request"
    first, *late = [loop.task("request", site=asks) for _ in range(others)]
    first.ready(0).running(1).awaits(MS, "sleep", site="/app/cache.py:11 get_pool")
    lock.hold(1, hold_ns, first, site)
    loop.step(first, 1, MS)
    for n, task in enumerate(late, 1):
        task.ready(0).running(n * MS).awaits(
            n * MS + 1, "Lock", lock=lock.id, site=site,
            owner_task=first.id, owner_name=first.name, owner_site=site,
        )  # fmt: skip
        loop.step(task, n * MS, n * MS + 1)
    first.ready(hold_ns, waker="timer").running(hold_ns)
    for task in late:
        task.ready(hold_ns + 1, by=first)
    first.done(hold_ns + MS)
    loop.step(first, hold_ns, hold_ns + MS)
    for n, task in enumerate(late, 1):
        at = hold_ns + n * MS
        task.running(at).done(at + MS)
        lock.hold(at, at + MS, task, site)
        loop.step(task, at, at + MS)
    end = hold_ns + others * MS
    thread.end(end + 1)
    return trace.ended(end + 2)


@pytest.mark.parametrize(("ms", "found"), [(380, []), (420, ["lock held across await"])])
def test_what_is_done_once_costs_its_own_time(tmp_path, ms, found):
    assert kinds(tmp_path, once(ms * MS)) == found


def circle(n=2, ns=900 * MS, stale=False, held=True):
    """`n` threads, each with a lock that the one before it wants."""
    trace = TraceBuilder(argv="dead.py", signals=SIGNALS)
    threads = [trace.thread(f"t{i}") for i in range(n)]
    locks = [trace.lock("Lock", f"/app/dead.py:{i} f") for i in range(n)]
    for i, thread in enumerate(threads):
        thread.native(0)
        owner = threads[(i + 1) % n]
        thread.lock_wait(
            MS + i,
            "Lock",
            lock=locks[i],
            site=f"/app/dead.py:{i} f",
            owner=owner,
            acquired=False,
        )
        if held:
            until = MS + i + ns if not stale or i else 2 * MS
            locks[i].hold(MS + i, until, owner, f"/app/dead.py:{i + 10} g")
        thread.native(MS + i + ns)
    for thread in threads:
        thread.end(ns + 3 * MS)
    return trace.ended(ns + 4 * MS)


def test_deadlock(tmp_path):
    """Three threads in a circle until a time-out: once, with all three places."""
    (found,) = find_in(tmp_path, circle(3))
    assert found.finding == "deadlock"
    assert found.text == (
        "Deadlock at 1.00 ms, for 900 ms: `t0` in `f` (dead.py:0) waits for the lock that "
        "`t1` acquired in `g` (dead.py:10); `t1` in `f` (dead.py:1) waits for the lock that "
        "`t2` acquired in `g` (dead.py:11); `t2` in `f` (dead.py:2) waits for the lock that "
        "`t0` acquired in `g` (dead.py:12)."
    )
    assert found.next_step.startswith("Acquire the locks in the same order")
    assert found.severity_ns == 3 * 900 * MS
    assert (found.evidence.track, found.evidence.tid) == ("t0", 100)


def test_deadlock_with_itself(tmp_path):
    """A thread that waits for a lock it has."""
    (found,) = find_in(tmp_path, circle(1))
    assert found.text.endswith(
        "`t0` in `f` (dead.py:0) waits for the lock that it holds itself, acquired in `g` "
        "(dead.py:10)."
    )
    assert found.next_step.startswith("Release the lock before calling")


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 30 * MS}, id="given up at once"),
        pytest.param({"stale": True}, id="one lock was given back"),
        pytest.param({"held": False}, id="holders unknown"),
    ],
)
def test_no_deadlock(tmp_path, story):
    """A circle must be closed by holds that last."""
    assert "deadlock" not in kinds(tmp_path, circle(**story))


def test_deadlock_until_the_end(tmp_path):
    """Open waits and holds of a killed program count to its end."""
    trace = TraceBuilder(argv="dead.py", signals=SIGNALS)
    threads = [trace.thread(f"t{i}").native(0) for i in range(2)]
    for i, thread in enumerate(threads):
        owner = threads[1 - i]
        lock = trace.lock("Lock", f"/app/dead.py:{i} f")
        thread.lock_wait(MS, "Lock", lock=lock, site=f"/app/dead.py:{i} f", owner=owner)
        trace.begin(
            lock.track, MS, owner.name, "hold",
            lock=lock.id, kind="Lock", owner=owner.tid, since_before=True,
        )  # fmt: skip
    trace.instant(trace.tracer, 600 * MS, "note", "tracer", reason="alive")
    (found,) = find_in(tmp_path, trace)
    assert "until the end of the trace" in found.text


@pytest.mark.parametrize(("kind", "found"), [("RLock", ["deadlock"]), ("Lock", [])])
def test_a_handler_takes_the_lock_that_its_thread_waits_for(tmp_path, kind, found):
    """Another thread may release a Lock, but no RLock."""
    trace = TraceBuilder(argv="dead.py", signals=SIGNALS)
    main, writer = trace.thread("MainThread").native(0), trace.thread("writer").native(0)
    lock = trace.lock(kind, "/app/dead.py:9 update")
    main.lock_wait(MS, kind, lock=lock, site="/app/dead.py:9 update", owner=writer)
    trace.begin(
        lock.track, 2 * MS, main.name, "hold",
        lock=lock.id, kind=kind, owner=main.tid, site="/app/dead.py:3 on_alarm",
    )  # fmt: skip
    writer.end(2 * MS)
    said = find_in(tmp_path, trace.ended(900 * MS))
    assert [one.finding for one in said if one.finding != "long waits"] == found
