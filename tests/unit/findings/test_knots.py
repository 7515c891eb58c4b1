"""Deadlocks through queues, pools, loops and joins; and waits that only look like one."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

LOG = "/app/log.py:8 write_log"


def only_consumer(acquired=False, others_take=False):
    """Two threads put into a bounded queue; the one that takes from it puts as well."""
    trace = TraceBuilder(argv="log.py", signals=SIGNALS)
    writer, producer, other = (trace.thread(n) for n in ("log-writer", "producer", "other"))
    queue = trace.lock("Queue.put", "/app/log.py:12 produce")
    writer.native(0)
    other.native(0)
    producer.lock_wait(0, "Queue.put", lock=queue, site="/app/log.py:12 produce")
    writer.release(20 * MS, queue, to=producer)
    producer.native(20 * MS)
    if others_take:
        producer.lock_wait(30 * MS, "Queue.put", lock=queue, site="/app/log.py:12 produce")
        other.release(45 * MS, queue, to=producer)
        producer.native(45 * MS)
    writer.lock_wait(50 * MS, "Queue.put", lock=queue, site=LOG, acquired=acquired)
    writer.native(650 * MS)
    for thread in (writer, producer, other):
        thread.end(700 * MS)
    return trace.ended(701 * MS)


def test_the_only_consumer_puts(tmp_path):
    (found,) = find_in(tmp_path, only_consumer())
    assert found.finding == "deadlock"
    assert found.text == (
        "Deadlock at 50.0 ms, for 600 ms: `log-writer` in `write_log` (log.py:8) waits in "
        "`Queue.put`, which only `log-writer` ever ended. Let somebody else use the "
        "queue, or tell the waiter that nothing comes."
    )
    assert (found.severity_ns, found.evidence.site) == (600 * MS, LOG)


def test_another_consumer(tmp_path):
    """Somebody who does not wait may still take from the queue."""
    assert "deadlock" not in kinds(tmp_path, only_consumer(others_take=True))


def nested_jobs(timed_out=True, free_worker=False, inner_ns=600 * MS):
    """Jobs of a pool wait for jobs that they submitted to the same pool."""
    trace = TraceBuilder(argv="jobs.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    workers = [trace.thread(f"pool_{n}") for n in range(2)]
    inner = []
    for n, worker in enumerate(workers):
        worker.runs(10 + n, "outer", "/app/jobs.py:3 outer", by=main.submits(5)).native(10 + n)
        if free_worker and n:
            continue
        inner.append(worker.submits(10 * MS))
        result = trace.lock("Future.result", "/app/jobs.py:4 outer")
        worker.lock_wait(
            10 * MS, "Future.result", lock=result, site="/app/jobs.py:4 outer",
            acquired=not timed_out,
        ).native(10 * MS + inner_ns)  # fmt: skip
    end = 20 * MS + inner_ns
    for source in inner:
        workers[0].runs(end, "inner", "/app/jobs.py:9 inner", by=source)
    for thread in (main, *workers):
        thread.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_jobs_that_wait_for_jobs_of_their_pool(tmp_path):
    """That those which are queued wait for a worker is the same, told again."""
    found = find_in(tmp_path, nested_jobs())
    assert [one.finding for one in found] == ["deadlock"]
    assert found[0].text == (
        "Deadlock at 10.0 ms, for 600 ms: 2 threads `pool_N` in `outer` (jobs.py:4) wait for "
        "`inner` (jobs.py:9), for which no worker of `pool` is free. Do not wait in a pool "
        "for jobs of the same pool: give them a pool of their own."
    )
    assert found[0].severity_ns == 2 * 600 * MS


def test_a_pool_with_a_free_worker(tmp_path):
    assert "deadlock" not in kinds(tmp_path, nested_jobs(free_worker=True))


def test_a_wait_that_was_short(tmp_path):
    assert kinds(tmp_path, nested_jobs(inner_ns=40 * MS)) == []


def join_of_a_consumer(hard=True):
    """The main thread joins a thread that waits for what only the main thread puts."""
    trace = TraceBuilder(argv="join.py", signals=SIGNALS)
    main, worker = trace.thread("MainThread"), trace.thread("worker")
    queue, end = trace.lock("Queue.get", "/app/join.py:4 work"), trace.lock("Thread.join", "")
    main.native(0)
    worker.lock_wait(0, "Queue.get", lock=queue, site="/app/join.py:4 work")
    main.release(20 * MS, queue, to=worker)
    worker.native(20 * MS)
    worker.lock_wait(
        30 * MS, "Queue.get", lock=queue, site="/app/join.py:4 work", acquired=False
    )
    if hard:
        main.lock_wait(
            40 * MS, "Thread.join", lock=end, owner=worker, site="/app/join.py:9 main",
            acquired=False,
        )  # fmt: skip
    else:
        main.sleep(40 * MS, site="/app/join.py:9 main")
    main.native(840 * MS).end(850 * MS)
    worker.native(845 * MS).end(850 * MS)
    return trace.ended(851 * MS)


def test_a_join_of_a_thread_that_waits_for_work(tmp_path):
    (found,) = find_in(tmp_path, join_of_a_consumer())
    assert found.finding == "deadlock"
    assert found.text == (
        "Deadlock at 40.0 ms, for 800 ms: `worker` in `work` (join.py:4) waits in "
        "`Queue.get`, which only `MainThread` ever ended; `MainThread` in `main` (join.py:9) "
        "waits for the end of `worker`. Let somebody else use the queue, or tell the "
        "waiter that nothing comes."
    )


def test_an_idle_worker(tmp_path):
    assert kinds(tmp_path, join_of_a_consumer(hard=False)) == []


def test_a_consumer_that_looks_at_a_flag(tmp_path):
    """Its time-out is how it ends; that somebody joins it meanwhile is no deadlock."""
    trace = TraceBuilder(argv="jobs.py", signals=SIGNALS)
    main, consumer = trace.thread("MainThread").native(0), trace.thread("consumer")
    get, join = "/app/jobs.py:9 consume", "/app/jobs.py:20 stop"
    items, end = trace.lock("Queue.get", get), trace.lock("Thread.join", join)
    consumer.lock_wait(0, "Queue.get", lock=items, site=get, acquired=True)
    main.release(5 * MS, items, to=consumer)
    consumer.native(5 * MS)
    consumer.lock_wait(10 * MS, "Queue.get", lock=items, site=get, acquired=False)
    main.lock_wait(12 * MS, "Thread.join", lock=end, site=join, owner=consumer)
    consumer.native(110 * MS).release(111 * MS, end, to=main).end(112 * MS)
    main.native(111 * MS).end(115 * MS)
    assert kinds(tmp_path, trace.ended(116 * MS)) == []


def pool_and_lock(waits=True, query=True, package="asyncpg", ns=600 * MS):
    """`sync` has the only connection and waits for a lock; its owner needs a connection."""
    trace = TraceBuilder(argv="app.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, end = trace.loop(thread), 100 * MS + ns
    sync, rebuild = (
        loop.task(name, site=f"/app/app.py:{line} {name}")
        for name, line in (("sync", 3), ("rebuild", 12))
    )
    lock = trace.lock("asyncio.Lock", "/app/app.py:13 rebuild")
    what = f"query ({package})" if query else "sleep"
    sync.ready(0).running(0).awaits(MS, what, site="/app/app.py:5 sync")
    rebuild.ready(0).running(0).awaits(MS, "sleep", site="/app/app.py:14 rebuild")
    sync.ready(50 * MS, waker="io").running(50 * MS)
    if waits:
        sync.awaits(
            51 * MS, "Lock", acquired=False, lock=lock.id, site="/app/app.py:7 sync",
            owner_task=rebuild.id, owner_name="rebuild",
        )  # fmt: skip
    else:
        sync.awaits(51 * MS, "sleep", site="/app/app.py:7 sync")
    rebuild.ready(100 * MS, waker="timer").running(100 * MS)
    rebuild.awaits(100 * MS, "connection pool (asyncpg)", site="/app/app.py:15 rebuild")
    lock.hold(MS, end + 3 * MS, rebuild, "/app/app.py:13 rebuild")
    sync.ready(end, waker="timer").running(end).done(end + MS, "cancelled")
    rebuild.ready(end + MS, waker="timer").running(end + 2 * MS).done(
        end + 3 * MS, "cancelled"
    )
    thread.end(end + 4 * MS)
    return trace.ended(end + 5 * MS)


def test_a_lock_and_a_connection(tmp_path):
    found, *_ = find_in(tmp_path, pool_and_lock())
    assert found.finding == "deadlock"
    assert found.text == (
        "Deadlock at 100 ms, for 600 ms: `sync` in `sync` (app.py:7) waits for the lock that "
        "`rebuild` holds, acquired at app.py:13; `rebuild` in `rebuild` (app.py:15) waits for "
        "a connection of asyncpg's pool, which `sync` has. Give the slot back before waiting "
        "for something else, or take both in one order."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"waits": False}, id="it does not wait for the lock"),
        pytest.param({"query": False}, id="it has no connection"),
        pytest.param({"package": "redis"}, id="it has one of another pool"),
        pytest.param({"ns": 40 * MS}, id="soon given up"),
    ],
)
def test_no_lock_and_connection(tmp_path, story):
    assert "deadlock" not in kinds(tmp_path, pool_and_lock(**story))


def callback(frame):
    """A thread waits for a result in vain, below this function of the library."""
    trace = TraceBuilder(argv="study.py", signals=SIGNALS)
    receiver = trace.thread("Thread-3").native(0)
    site = "/app/study.py:19 refine"
    result = trace.lock("AsyncResult.get", site)
    receiver.lock_wait(
        50 * MS, "AsyncResult.get", lock=result, site=site, acquired=False,
        stack=f"{site}\n{frame}",
    )  # fmt: skip
    receiver.native(650 * MS).end(700 * MS)
    return trace.ended(701 * MS)


@pytest.mark.parametrize(
    "frame",
    [
        "/lib/python3.13/multiprocessing/pool.py:595 Pool._handle_results",
        "/lib/python3.13/concurrent/futures/process.py:320 _ExecutorManagerThread.run",
    ],
)
def test_a_callback_that_waits_for_its_pool(tmp_path, frame):
    (found,) = find_in(tmp_path, callback(frame))
    assert found.finding == "deadlock"
    assert found.text == (
        "Deadlock at 50.0 ms, for 600 ms: `Thread-3` in `refine` (study.py:19) waits for a "
        "result, though it is the thread that receives the results of its pool. Let the "
        "callback only hand on its result, and wait in another thread."
    )


def test_a_wait_for_a_result_elsewhere(tmp_path):
    frame = "/lib/python3.13/multiprocessing/pool.py:595 Pool._handle_tasks"
    assert kinds(tmp_path, callback(frame)) == ["wait in vain"]


ASK, SERVE = "/app/actors.py:16 ask", "/app/actors.py:20 run"


def actors(other="asks", timed_out=True, ns=600 * MS):
    """Two threads that answer requests ask each other; `other`: what the second one does."""
    trace = TraceBuilder(argv="actors.py", signals=SIGNALS)
    first, second, client = (trace.thread(n) for n in ("orders", "stock", "client"))
    inbox = trace.lock("Queue.get", SERVE)
    answers = [trace.lock("Queue.get", ASK) for _ in range(4)]
    for thread in (first, second):
        thread.native(0)
    # Both have given an answer before, in a queue that was made for it.
    for n, thread in enumerate((first, second)):
        start = (10 + 20 * n) * MS
        client.lock_wait(start, "Queue.get", lock=answers[n], site=ASK)
        thread.release(start + 12 * MS, answers[n], to=client)
        client.native(start + 12 * MS)
    end = 60 * MS + ns
    line = f"{ASK}\n/app/actors.py:{{}} receive"
    first.lock_wait(
        60 * MS, "Queue.get", lock=answers[2], site=ASK, acquired=not timed_out,
        stack=line.format(34),
    )  # fmt: skip
    if other == "asks":
        second.lock_wait(
            60 * MS, "Queue.get", lock=answers[3], site=ASK, stack=line.format(43)
        )
    elif other == "is idle":
        second.lock_wait(60 * MS, "Queue.get", lock=inbox, site=SERVE)
        client.release(end + MS, inbox, to=second)
    first.native(end)
    if other == "asks":
        first.release(end + MS, answers[3], to=second)
    second.native(end + MS)
    for thread in (first, second, client):
        thread.end(end + 2 * MS)
    return trace.ended(end + 3 * MS)


def test_two_that_ask_each_other(tmp_path):
    (found,) = find_in(tmp_path, actors())
    assert found.finding == "deadlock"
    assert found.text == (
        "Deadlock at 60.0 ms, for 600 ms: `orders` in `ask` (actors.py:16), called in "
        "`receive` (actors.py:34), waits for an answer, as `stock` gave to others; `stock` in "
        "`ask` (actors.py:16), called in `receive` (actors.py:43), waits in `Queue.get`, "
        "which only `orders` ever ended. Go on serving while waiting for an answer, or let "
        "only one side ask the other."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"other": "is idle"}, id="the other one waits for requests"),
        pytest.param({"other": "works"}, id="the other one works"),
        pytest.param({"timed_out": False}, id="an answer came"),
        pytest.param({"ns": 40 * MS}, id="soon given up"),
    ],
)
def test_who_asks_and_is_answered(tmp_path, story):
    assert "deadlock" not in kinds(tmp_path, actors(**story))


def children(of="nursery", waits=2, ns=600 * MS):
    """`refresh` waits under its lock for two tasks that it made; `waits` of them want it."""
    trace = TraceBuilder(argv="app.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    lock = trace.lock("asyncio.Lock", "/app/app.py:15 refresh")
    refresh = loop.task("refresh", site="/app/app.py:14 refresh").ready(0).running(0)
    parts = [
        loop.task("reload", site="/app/app.py:9 reload", parent=refresh.id).ready(1)
        for _ in range(2)
    ]
    refresh.awaits(MS, of, site="/app/app.py:17 refresh")
    for n, task in enumerate(parts):
        task.running(MS + n)
        if n < waits:
            task.awaits(
                2 * MS, "Lock", acquired=False, lock=lock.id,
                site="/app/app.py:10 reload", owner_task=refresh.id, owner_name="refresh",
            )  # fmt: skip
        else:
            task.awaits(2 * MS, "sleep", site="/app/app.py:11 reload")
    end = 2 * MS + ns
    for n, task in enumerate(parts):
        task.ready(end + n, waker="timer").running(end + n).done(end + n + 1)
    lock.hold(10, end + 4, refresh, "/app/app.py:15 refresh")
    refresh.ready(end + 3, waker="timer").running(end + 3).done(end + 5)
    thread.end(end + MS)
    return trace.ended(end + 2 * MS)


@pytest.mark.parametrize("of", ["nursery", "TaskGroup", "gather"])
def test_tasks_that_want_the_lock_of_whoever_waits_for_them(tmp_path, of):
    found, *_ = find_in(tmp_path, children(of))
    assert found.finding == "deadlock"
    assert (
        "`refresh` in `refresh` (app.py:17) waits for the end of 2 tasks `reload`; 2 tasks "
        "`reload` in `reload` (app.py:10) wait for the lock that `refresh` holds, acquired at "
        "app.py:15. Release the lock before waiting."
    ) in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"waits": 1}, id="one of them goes on"),
        pytest.param({"ns": 40 * MS}, id="soon given up"),
    ],
)
def test_tasks_that_end(tmp_path, story):
    assert "deadlock" not in kinds(tmp_path, children(**story))
