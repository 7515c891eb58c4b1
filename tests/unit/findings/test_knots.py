"""Deadlocks through queues, pools, loops and joins; and waits that only look like one."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

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
    found = find_in(tmp_path, nested_jobs())
    assert [one.finding for one in found] == ["deadlock", "thread-pool starvation"]
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


def closing(worker_waits=True, name="executor shutdown", ns=600 * MS):
    """`close` waits for a worker with the lock that the worker's job needs."""
    trace = TraceBuilder(argv="crawl.py", signals=SIGNALS)
    main, worker = trace.thread("MainThread").native(0), trace.thread("crawler_0").native(0)
    close, add = "/app/crawl.py:30 close", "/app/crawl.py:18 add"
    lock, end = trace.lock("Lock", add), trace.lock(name, close)
    until = 20 * MS + ns
    lock.hold(5 * MS, until + MS, main, site="/app/crawl.py:28 close")
    main.lock_wait(6 * MS, name, lock=end, owner=worker, site=close)
    if worker_waits:
        worker.lock_wait(20 * MS, "Lock", lock=lock, owner=main, site=add, acquired=False)
    else:
        worker.sleep(20 * MS, site=add)
    worker.native(until).release(until, end, to=main).end(until + 1)
    main.native(until).end(until + 2 * MS)
    return trace.ended(until + 3 * MS)


@pytest.mark.parametrize("name", ["executor shutdown", "Thread.join"])
def test_a_shutdown_under_a_lock(tmp_path, name):
    (found,) = find_in(tmp_path, closing(name=name))
    assert found.finding == "deadlock"
    assert found.text == (
        "Deadlock at 20.0 ms, for 600 ms: `MainThread` in `close` (crawl.py:30) waits for the "
        "end of `crawler_0`; `crawler_0` in `add` (crawl.py:18) waits for the lock that "
        "`MainThread` holds, acquired at crawl.py:28. Release the lock before waiting."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"worker_waits": False}, id="it only sleeps"),
        pytest.param({"ns": 40 * MS}, id="soon given up"),
    ],
)
def test_a_shutdown_that_takes_a_while(tmp_path, story):
    assert kinds(tmp_path, closing(**story)) == []


def rebalance(by="coordinator", timed_out=True):
    """`process` waits with a lock for an event that the one sets who waits for the lock."""
    trace = TraceBuilder(argv="consume.py", signals=SIGNALS)
    process, coordinator, other = (
        trace.thread(name).native(0) for name in ("process", "coordinator", "other")
    )
    get, revoke = "/app/consume.py:17 getmany", "/app/consume.py:34 on_revoked"
    lock, assigned = trace.lock("Lock", revoke), trace.lock("Event.wait", get)
    lock.hold(MS, 640 * MS, process, site="/app/consume.py:38 process")
    process.lock_wait(10 * MS, "Event.wait", lock=assigned, site=get)
    coordinator.lock_wait(
        20 * MS, "Lock", lock=lock, owner=process, site=revoke, acquired=not timed_out
    )
    coordinator.native(620 * MS)
    setter = coordinator if by == "coordinator" else other
    setter.release(630 * MS, assigned, to=process)
    process.native(630 * MS)
    for thread in (process, coordinator, other):
        thread.end(700 * MS)
    return trace.ended(701 * MS)


def test_an_event_that_comes_when_the_other_gives_up(tmp_path):
    found, *_ = find_in(tmp_path, rebalance())
    assert found.finding == "deadlock"
    assert found.text == (
        "Deadlock at 20.0 ms, for 600 ms: `process` in `getmany` (consume.py:17) waits for "
        "`Event.wait`, which `coordinator` set in the end; `coordinator` in `on_revoked` "
        "(consume.py:34) waits for the lock that `process` holds, acquired at consume.py:38. "
        "Release the lock before waiting."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"by": "other"}, id="somebody else sets it"),
        pytest.param({"timed_out": False}, id="it got the lock"),
    ],
)
def test_an_event_under_a_lock(tmp_path, story):
    assert "deadlock" not in kinds(tmp_path, rebalance(**story))


def stopped_loop(ns=600 * MS):
    """A job waits for a coroutine; the thread of the loop waits for the job's worker."""
    trace = TraceBuilder(argv="hub.py", signals=SIGNALS)
    main, worker = trace.thread("MainThread").running(0), trace.thread("sync_0").native(0)
    loop, site = trace.loop(main), "/app/hub.py:28 save"
    serve = loop.task("serve", site="/app/hub.py:40 serve")
    serve.ready(0).running(1).done(MS)
    loop.step(serve, 1, MS)
    end = trace.lock("executor shutdown", "/app/hub.py:49 main")
    result, until = trace.lock("Future.result", site), 10 * MS + ns
    main.lock_wait(
        2 * MS, "executor shutdown", lock=end, owner=worker, site="/app/hub.py:49 main"
    )
    worker.wakes(9 * MS)
    worker.lock_wait(10 * MS, "Future.result", lock=result, site=site, acquired=False)
    worker.native(until).release(until, end, to=main).end(until + 1)
    main.native(until).end(until + MS)
    return trace.ended(until + 2 * MS)


def test_a_coroutine_of_a_loop_that_has_stopped(tmp_path):
    (found,) = find_in(tmp_path, stopped_loop())
    assert found.text == (
        "Deadlock at 10.0 ms, for 600 ms: `MainThread` in `main` (hub.py:49) waits for the "
        "end of `sync_0`; `sync_0` in `save` (hub.py:28) waits for a coroutine on the loop of "
        "`MainThread`. Wait for the thread while its loop still runs, without blocking it: "
        "`await asyncio.to_thread(thread.join)`."
    )


def test_a_coroutine_that_comes_soon(tmp_path):
    assert kinds(tmp_path, stopped_loop(ns=40 * MS)) == []


def reconnect(times=2, name="credentials", lock_wait=True, gives_up=True, what="task {}"):
    """`stream` holds a lock and awaits a task that waits for the lock, 600 ms each time."""
    trace = TraceBuilder(argv="stream.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop, at = trace.loop(thread), MS
    site, update = "/app/stream.py:23 refresh", "/app/stream.py:16 update"
    stream = loop.task("stream", site="/app/stream.py:2 stream")
    lock = trace.lock("asyncio.Lock", update)
    stream.ready(0)
    for _ in range(times):
        child = loop.task(name, name, site="/app/stream.py:15 update", parent=stream.id)
        stream.running(at).awaits(at + MS, what.format(name), site=site)
        loop.step(stream, at, at + MS)
        lock.hold(at, at + 602 * MS, stream, "/app/stream.py:28 reconnect")
        child.ready(at).running(at + MS)
        if lock_wait:
            child.awaits(
                at + 2 * MS, "Lock", acquired=not gives_up, lock=lock.id, site=update,
                owner_task=stream.id, owner_name="stream",
            )  # fmt: skip
        else:
            child.awaits(at + 2 * MS, "sleep", site=update)
        loop.step(child, at + MS, at + 2 * MS)
        end = at + 600 * MS
        child.ready(end, waker="timer" if gives_up else "io").running(end).done(
            end + 1, "cancelled" if gives_up else s.DONE
        )
        loop.step(child, end, end + 1)
        stream.ready(end + 1, waker="timer").running(end + 2)
        stream.awaits(end + 2 * MS, "sleep", site="/app/stream.py:30 reconnect")
        loop.step(stream, end + 2, end + 2 * MS)
        at = end + 10 * MS
        stream.ready(at, waker="timer")
    stream.running(at).done(at + 1)
    loop.step(stream, at, at + 1)
    thread.end(at + MS)
    return trace.ended(at + 2 * MS)


@pytest.mark.parametrize("what", ["task {}", "gather"])
def test_a_task_that_needs_the_lock_of_its_creator(tmp_path, what):
    found, *others = find_in(tmp_path, reconnect(what=what))
    assert "deadlock" not in {other.finding for other in others}
    assert found.text == (
        "Deadlock at 3.00 ms, for 598 ms, the first of 2: `stream` in `refresh` "
        "(stream.py:23) waits for the end of `credentials`; `credentials` in `update` "
        "(stream.py:16) waits for the lock that `stream` holds, acquired at stream.py:28. "
        "Release the lock before waiting."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"lock_wait": False}, id="it only sleeps"),
        pytest.param({"gives_up": False}, id="it got the lock"),
    ],
)
def test_a_task_under_a_lock(tmp_path, story):
    assert "deadlock" not in kinds(tmp_path, reconnect(**story))


def test_workers_that_their_creator_awaits(tmp_path):
    """Whoever awaits idle consumers for a time is no deadlock, though only it puts."""
    trace = TraceBuilder(argv="idle.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop = trace.loop(thread)
    main = loop.task("main", site="/app/idle.py:2 main")
    worker = loop.task("worker", site="/app/idle.py:9 worker", parent=main.id)
    items = trace.lock("Queue.get", "/app/idle.py:10 worker")
    worker.ready(0).running(0)
    worker.awaits(MS, "Queue.get", lock=items.id, site="/app/idle.py:10 worker")
    loop.step(worker, 0, MS)
    main.ready(MS).running(20 * MS)
    worker.ready(21 * MS, by=main)
    main.awaits(22 * MS, "gather", acquired=False, site="/app/idle.py:5 main")
    loop.step(main, 20 * MS, 22 * MS)
    worker.running(22 * MS)
    worker.awaits(23 * MS, "Queue.get", lock=items.id, site="/app/idle.py:10 worker")
    loop.step(worker, 22 * MS, 23 * MS)
    for n, task in enumerate((worker, main)):
        at = 900 * MS + n * MS
        task.ready(at, waker="timer").running(at).done(at + 1, "cancelled")
        loop.step(task, at, at + 1)
    thread.end(910 * MS)
    assert "deadlock" not in kinds(tmp_path, trace.ended(911 * MS))
