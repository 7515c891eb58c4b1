"""How many slots a pool has, as far as waits for them tell."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

TAKE, USE = "/app/feed.py:17 borrow", "/app/feed.py:27 backoff"


def permits(unseen=False):
    """Two permits go from two threads to two others, and back while somebody always waits.

    `unseen`: then they are given back while nobody waits; two others, who never waited, have
    them, and give them to the second two again.
    """
    trace = TraceBuilder(argv="feed.py", signals=SIGNALS)
    lock = trace.lock("Semaphore", TAKE)
    first, second = (
        [trace.thread(f"sync-{n}").native(0) for n in pair] for pair in ((0, 1), (2, 3))
    )
    others = [trace.thread(f"page-{n}").native(0) for n in range(2)]

    def hand_over(givers, takers, start_ms):
        for n, taker in enumerate(takers):
            taker.lock_wait((start_ms + n) * MS, "Semaphore", lock=lock, site=TAKE)
        for n, (giver, taker) in enumerate(zip(givers, takers, strict=True)):
            got = (start_ms + 300 + 50 * n) * MS
            giver.release(got, lock, to=taker)
            taker.sleep(got, site=USE)
            yield giver, got + MS

    for giver, at in hand_over(first, second, 10):
        giver.lock_wait(at, "Semaphore", lock=lock, site=TAKE)
    for n, (giver, taker) in enumerate(zip(second, first, strict=True)):
        got = (610 + 50 * n) * MS
        giver.release(got, lock, to=taker)
        taker.sleep(got, site=USE)
        giver.native(got + MS)
    if unseen:
        list(hand_over(others, second, 1010))
    for thread in (*first, *second, *others):
        thread.end(2100 * MS)
    return trace.ended(2101 * MS)


@pytest.mark.parametrize(
    ("unseen", "said"),
    [
        pytest.param(False, "share 2 permits of a `Semaphore`", id="all hand-overs are seen"),
        pytest.param(True, "share at least 2 permits of a `Semaphore`", id="some are not"),
    ],
)
def test_how_many_are_told(tmp_path, unseen, said):
    found = find_in(tmp_path, permits(unseen))
    assert [one.finding for one in found] == ["pool exhausted"]
    assert said in found[0].text


def jobs_give_back():
    """Four callers wait for permits that the threads of a pool give back for them."""
    trace = TraceBuilder(argv="feed.py", signals=SIGNALS)
    lock, workers = trace.lock("Semaphore", TAKE), [trace.thread(f"out_{n}") for n in range(2)]
    callers = [trace.thread(f"request-{n}").native(0) for n in range(4)]
    for worker in workers:
        worker.native(0)
    for turn in range(3):
        start = (10 + turn * 500) * MS
        for n, caller in enumerate(callers):
            caller.lock_wait(start + n, "Semaphore", lock=lock, site=TAKE)
        for n, caller in enumerate(callers):
            got = start + (n + 1) * 100 * MS
            workers[n % 2].release(got, lock, to=caller)
            caller.native(got)
    for thread in (*callers, *workers):
        thread.end(1600 * MS)
    return trace.ended(1601 * MS)


def test_permits_that_others_give_back_are_not_counted(tmp_path):
    found, *_ = find_in(tmp_path, jobs_give_back())
    assert found.finding == "pool exhausted"
    assert "share the permits of a `Semaphore`" in found.text


GET = "/app/db.py:21 query"


def dry(gap=20 * MS, threads=3, tries=2, late=False):
    """Connections of a `Queue` go round, until all later waits time out after 300 ms.

    `late`: somebody gets one in the end.
    """
    trace = TraceBuilder(argv="db.py", signals=SIGNALS)
    pool = trace.lock("Queue.get", GET)
    users = [trace.thread(f"web-{n}").native(0) for n in range(threads)]
    for n, user in enumerate(users):
        start, giver = (10 + n * 40) * MS, users[n - 1]
        user.lock_wait(start, "Queue.get", lock=pool, site=GET)
        giver.release(start + 20 * MS, pool, to=user)
        user.native(start + 20 * MS)
    at = 400 * MS
    for _ in range(tries):
        for user in users:
            user.lock_wait(at, "Queue.get", lock=pool, site=GET, acquired=False)
        for user in users:
            user.native(at + 300 * MS)
        at += 300 * MS + gap
    if late:
        users[0].lock_wait(at, "Queue.get", lock=pool, site=GET)
        users[1].release(at + 20 * MS, pool, to=users[0])
        users[0].native(at + 20 * MS)
    for user in users:
        user.end(at + 100 * MS)
    return trace.ended(at + 101 * MS)


def test_a_pool_of_a_queue_that_ran_dry(tmp_path):
    found, *_ = find_in(tmp_path, dry())
    assert found.finding == "slots never returned"
    assert (
        "3 threads `web-N` waited for a slot of a pool made of a `Queue` in `query` "
        "(db.py:21) and gave up: 6 waits, 1.80 s in total"
    ) in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"gap": MS}, id="workers that look again at once"),
        pytest.param({"tries": 1}, id="workers that end"),
        pytest.param({"late": True}, id="one came back"),
    ],
)
def test_workers_that_find_no_more_work(tmp_path, story):
    assert "slots never returned" not in kinds(tmp_path, dry(**story))


BORROW = "/app/pool.py:14 acquire"


def channel(what="MemoryChannel.receive", own=True, handed_on=False):
    """Two connections in a channel: ten tasks borrow one each, for 200 ms, and put it back.

    `handed_on`: of two that are put back at once, the second is handed on by whoever gets the
    first. `own`: else another task puts them.
    """
    trace = TraceBuilder(argv="pool.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, lock = trace.loop(thread), trace.lock(what, BORROW)
    other = loop.task("feed", site="/app/pool.py:40 feed").ready(0).running(1)
    tasks = [loop.task("export", site="/app/pool.py:18 export") for _ in range(10)]
    for task in tasks:
        task.ready(1).running(2)
    for task in tasks[2:]:
        task.awaits(3, what, lock=lock.id, site=BORROW)
    for task in tasks[:2]:
        task.awaits(4, "sleep", site="/app/pool.py:20 export")
    for n in range(0, 10, 2):
        at = (200 + 100 * n) * MS
        one, two = tasks[n : n + 2]
        if at > 200 * MS:
            for task in (one, two):
                task.awaits(at - 200 * MS + 2000, "sleep", site="/app/pool.py:20 export")
        one.ready(at, waker="timer").running(at)
        two.ready(at, waker="timer").running(at)
        if n < 8:
            first, second = tasks[n + 2 : n + 4]
            first.ready(at + 10, by=one if own else other).running(at + 500)
            giver = first if handed_on else two if own else other
            second.ready(at + 600, by=giver).running(at + 700)
        one.done(at + 1000)
        two.done(at + 1000)
    other.done(1200 * MS)
    thread.end(1200 * MS)
    return trace.ended(1201 * MS)


@pytest.mark.parametrize("what", ["MemoryChannel.receive", "MemoryObjectStream.receive"])
@pytest.mark.parametrize("handed_on", [False, True])
def test_a_pool_in_a_channel(tmp_path, what, handed_on):
    (found,) = find_in(tmp_path, channel(what, handed_on=handed_on))
    assert found.finding == "pool exhausted"
    assert f"share 2 slots of a pool made of a `{what.partition('.')[0]}`" in found.text
    assert "Each slot goes to the next waiter after 200 ms on average" in found.text


def test_a_channel_that_another_task_fills(tmp_path):
    assert "pool exhausted" not in kinds(tmp_path, channel(own=False))


def found_dry(late=True, own=True, again=0):
    """A pool of two in a queue: two tasks get a connection from two that never waited, and
    keep theirs; four requests that come then, or were there before, wait in vain, as do so
    many of the first two that try `again`."""
    trace = TraceBuilder(argv="pool.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, lock = trace.loop(thread), trace.lock("Queue.get", BORROW)
    first = "request" if own else "feed"
    givers = [loop.task(first, site=f"/app/pool.py:18 {first}") for _ in range(2)]
    tasks = [loop.task("request", site="/app/pool.py:18 request") for _ in range(6)]
    for giver in givers:
        giver.ready(1).running(2)
    for task in tasks[:2] if late else tasks:
        task.ready(3).running(4).awaits(5, "Queue.get", acquired=task in tasks[:2],
                                        lock=lock.id, site=BORROW)  # fmt: skip
    for giver, task in zip(givers, tasks, strict=False):
        task.ready(20 * MS, by=giver).running(21 * MS).awaits(22 * MS, "sleep")
        giver.done(22 * MS)
    for task in tasks[2:]:
        if late:
            task.ready(30 * MS).running(30 * MS)
            task.awaits(31 * MS, "Queue.get", acquired=False, lock=lock.id, site=BORROW)
        task.ready(700 * MS, waker="timer").running(700 * MS).done(701 * MS)
    for n, task in enumerate(tasks[:2]):
        task.ready(100 * MS, waker="timer").running(101 * MS)
        if n < again:
            task.awaits(102 * MS, "Queue.get", acquired=False, lock=lock.id, site=BORROW)
            task.ready(701 * MS, waker="timer").running(701 * MS)
            task.done(702 * MS)
        else:
            task.done(102 * MS, "cancelled")
    thread.end(702 * MS)
    return trace.ended(703 * MS)


@pytest.mark.parametrize("again", [0, 1, 2])
def test_requests_that_find_a_pool_empty(tmp_path, again):
    found, *_ = find_in(tmp_path, found_dry(again=again))
    assert found.finding == "slots never returned"
    assert "a slot of a pool made of a `Queue` in `acquire` (pool.py:14)" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"own": False}, id="another function puts items into the queue"),
        pytest.param({"late": False}, id="workers that were there before"),
        pytest.param({"late": False, "again": 2}, id="workers that look again"),
    ],
)
def test_queues_of_work(tmp_path, story):
    assert "slots never returned" not in kinds(tmp_path, found_dry(**story))


def tokens(jobs=10, inside="/app/batch.py:7 run", apart=False):
    """Threads put a token into a full queue of two, and get one out when they are done;
    `apart`: two others get them out."""
    trace, lines = TraceBuilder(argv="batch.py", signals=SIGNALS), {}
    slots = trace.lock("Queue.put", "/app/batch.py:7 run")
    threads = [trace.thread(f"job-{n}").native(0) for n in range(jobs)]
    others = [trace.thread(f"reader-{n}").native(0) for n in range(2)]
    for n, thread in enumerate(threads):
        lines[n] = inside if inside else f"/app/batch.py:{7 + n} run_{n}"
        if n > 1 or apart:
            stack = f"/usr/lib/python3.13/queue.py:146 Queue.put\n{lines[n]}"
            thread.lock_wait(MS + n, "Queue.put", lock=slots, site=lines[n], stack=stack)
        else:
            thread.sleep(MS, site="/app/batch.py:5 upload")
    for n in range(jobs if apart else jobs - 2):
        giver = others[n % 2] if apart else threads[n]
        taker, at = threads[n if apart else n + 2], (n + 1) * 150 * MS
        giver.native(at)
        giver.release(at, slots, to=taker)
        taker.sleep(at, site="/app/batch.py:5 upload")
        if not apart:
            giver.end(at + MS)
    end = (jobs + 2) * 150 * MS
    for thread in threads if apart else threads[-2:]:
        thread.native(end - MS).end(end)
    for other in others:
        other.end(end)
    return trace.ended(end + MS)


def test_tokens_in_a_bounded_queue(tmp_path):
    (found,) = find_in(tmp_path, tokens())
    assert found.finding == "pool exhausted"
    assert "of a pool made of a `Queue`. 8 waits in `run` (batch.py:7)" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"apart": True}, id="others take them out"),
        pytest.param({"inside": ""}, id="several functions put"),
    ],
)
def test_full_queues_that_are_no_pool(tmp_path, story):
    assert "pool exhausted" not in kinds(tmp_path, tokens(**story))
