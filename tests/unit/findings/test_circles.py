"""Circles through events, awaited tasks, an executor's shutdown, a loop that has stopped."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s


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
