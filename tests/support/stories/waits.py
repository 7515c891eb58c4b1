"""The traces several tests share, each a small story written with the builder."""

from tests.support.builder.encoding import Arg, Event
from tests.support.builder.samples import SampleBuilder
from tests.support.builder.trace import TraceBuilder
from tests.support.stories.user import requests
from tracer import schema as s

MS = 1_000_000


def blocked_loop() -> TraceBuilder:
    """`tick` wants to run each 10 ms; `handler` once computes for 31 ms; one collection."""
    trace = TraceBuilder(argv="blocked_loop.py --n 2")
    thread = trace.thread("MainThread")
    loop = trace.loop(thread)
    main = loop.task("main", name="Task-1", site="/app/blocked_loop.py:20 main")
    tick = loop.task("tick", name="ticker", site="/app/blocked_loop.py:9 tick", parent=1)
    handler = loop.task("handler", site="/app/blocked_loop.py:14 handler", parent=1)
    main.ready(0).running(MS // 10)
    tick.ready(MS // 5, by=main)
    handler.ready(3 * MS // 10, by=main)
    main.awaits(MS, "task ticker", site="/app/blocked_loop.py:23 main")
    loop.step(main, MS // 10, MS)
    tick.running(MS + 20_000).awaits(MS + 90_000, "sleep", site="/app/blocked_loop.py:11 tick")
    loop.step(tick, MS + 20_000, MS + 90_000)
    handler.running(MS + 100_000)
    handler.awaits(2 * MS, "sleep", site="/app/blocked_loop.py:15 handler")
    loop.step(handler, MS + 100_000, 2 * MS)
    loop.select(2 * MS + 10_000, 10 * MS)
    handler.ready(10 * MS, waker="timer").running(10 * MS + 40_000)
    tick.ready(11 * MS, waker="timer")
    trace.gc(20 * MS, 22 * MS, thread.tid, 2, 340)
    trace.counter(loop.queue, 10 * MS, 1)
    handler.done(41 * MS)
    loop.step(handler, 10 * MS + 40_000, 41 * MS)
    loop.callback("flush_metrics", "/app/metrics.py:7 flush_metrics", 41 * MS, 42 * MS)
    tick.running(42 * MS + 200_000)
    main.ready(43 * MS - 200_000, by=tick)
    tick.done(43 * MS)
    loop.step(tick, 42 * MS + 200_000, 43 * MS)
    main.running(43 * MS + 5_000).done(44 * MS)
    loop.step(main, 43 * MS + 5_000, 44 * MS)
    return trace.ended(45 * MS, overhead_ns=150_000)


def lanes() -> TraceBuilder:
    """Three short tasks one after the other on a merged lane; the second fails."""
    trace = TraceBuilder(pid=200)
    loop = trace.loop(trace.thread("MainThread"))
    lane = loop.lane("fetch")
    for n, how in enumerate([s.DONE, s.FAILED_PREFIX + "ValueError", s.CANCELLED]):
        task = loop.task_on_lane(lane, "fetch", site="fetch.py:3 fetch")
        at = n * 100_000
        task.ready(at).running(at + 10_000 * (n + 1)).done(at + 50_000, how)
        loop.step(task, at + 10_000 * (n + 1), at + 50_000)
    return trace.ended(400_000)


def eager() -> TraceBuilder:
    """A task whose first step runs inside its creator's."""
    trace = TraceBuilder(pid=300)
    loop = trace.loop(trace.thread("MainThread"))
    main = loop.task("main", site="eager.py:1 main")
    child = loop.task("child", site="eager.py:5 child", parent=1)
    main.ready(0).running(1_000)
    trace.begin(loop.running, 1_000, "main", s.CAT_LOOP, task=main.id)
    trace.begin(loop.running, 2_000, "child", s.CAT_LOOP, task=child.id)
    child.running(2_000).awaits(5_000, "sleep")
    trace.end(loop.running, 5_000)
    other = loop.task("other", site="eager.py:9 other").ready(1_500)
    main.awaits(8_000, "future")
    trace.end(loop.running, 8_000)
    other.running(9_000).done(9_500)
    loop.step(other, 9_000, 9_500)
    return trace.ended(10_000)


def killed() -> TraceBuilder:
    """No end: one task runs, one waits for it, a hook was off, events were dropped."""
    trace = TraceBuilder(pid=400)
    trace.instant(
        trace.tracer, 10, s.HOOK_DISABLED, s.CAT_TRACER, hook="gc", reason="no gc.callbacks"
    )
    loop = trace.loop(trace.thread("MainThread"))
    hog = loop.task("hog", site="hog.py:1 hog").ready(0).running(1_000)
    loop.task("victim", site="hog.py:9 victim").ready(500)
    trace.begin(loop.running, 1_000, "hog", s.CAT_LOOP, task=hog.id)
    trace.instant(
        trace.tracer, 9_000, s.EVENTS_DROPPED, s.CAT_TRACER,
        count=7, since_ns=trace.start_ns + 8_000,
    )  # fmt: skip
    return trace


def mixed() -> TraceBuilder:
    """Every encoding: inline names, all argument types, counters, a negative number."""
    trace = TraceBuilder(pid=500)
    thread = trace.thread("worker")
    for inline in (True, False):
        event = Event(1_000, s.TYPE_INSTANT, thread.track, s.WAKE, s.CAT_THREAD, inline=inline)
        event.args = {"text": "é" * 100, "yes": True, "minus": -5, "half": 0.5, "n": 1 << 63}
        event.args |= {"empty": ""}
        trace.add(event)
    rss = trace.track(s.COUNTER_RSS, b"")
    trace.counter(rss, 2_000, -1)
    trace.counter(rss, 3_000, 1 << 40)
    return trace.ended(5_000)


def gil_hog() -> TraceBuilder:
    """`compress` keeps the GIL, once while it is preempted; MainThread starves behind it."""
    trace = TraceBuilder(pid=600, argv="hog.py", signals="tasks,threads,gc,gil,locks,io,sched")
    main, hog = trace.thread("MainThread"), trace.thread("compress")
    main.running(0)
    hog.gil_wait(MS, holder=main)
    main.io(2 * MS, "select.epoll.poll", site="/app/hog.py:40 main", fd=3)
    hog.running(2 * MS + 50_000)
    main.gil_wait(10 * MS, holder=hog)
    hog.preempted(100 * MS, holding_gil=True).running(160 * MS).native(210 * MS)
    main.running(210 * MS + 20_000)
    main.gc(211 * MS, 212 * MS, 2)
    trace.gc(211 * MS, 212 * MS, main.tid, 2, 40)
    main.sleep(213 * MS, site="/app/hog.py:44 main")
    hog.gil_wait(214 * MS).running(214 * MS + 5_000)
    main.gil_wait(215 * MS, holder=hog)
    hog.off_cpu(300 * MS, holding_gil=True).running(310 * MS).gil_wait(320 * MS)
    main.running(320 * MS).end(330 * MS)
    hog.running(330 * MS).end(400 * MS)
    for at, cpu, delay in ((0, 0, 1_000), (399 * MS, 250 * MS, 61 * MS)):
        hog.counter(at, s.COUNTER_CPU, cpu).counter(at, s.COUNTER_RUN_DELAY, delay)
    return trace.ended(400 * MS)


def lock_convoy() -> TraceBuilder:
    """`flush` holds a lock while it sleeps; two workers queue for it, one gives up once."""
    trace = TraceBuilder(pid=700, argv="convoy.py", signals="tasks,threads,gc,gil,locks,io")
    flush, one, two = (trace.thread(name) for name in ("flush", "worker-1", "worker-2"))
    lock = trace.lock("Lock", "/app/convoy.py:12 work")
    took, wants = "/app/convoy.py:30 flush", "/app/convoy.py:12 work"
    flush.running(0).sleep(MS, site="/app/convoy.py:31 flush")
    lock.hold(MS + MS // 2, 101 * MS, flush, took).args[s.ARG_SINCE_BEFORE] = True
    one.running(MS).lock_wait(
        MS + MS // 2, "Lock", lock=lock, site=wants, owner=flush, owner_site=took
    )
    lock.waiters(MS + MS // 2, 1)
    two.running(2 * MS).lock_wait(
        3 * MS, "Lock", lock=lock, site=wants, owner=flush, owner_site=took, acquired=False
    )
    lock.waiters(3 * MS, 2)
    two.running(53 * MS)
    two.lock_wait(54 * MS, "Lock", lock=lock, site=wants, owner=flush, owner_site=took)
    flush.gil_wait(100 * MS).running(100 * MS + MS // 2).release(101 * MS, lock, to=one)
    flush.native(101 * MS)
    lock.hold(101 * MS, 111 * MS, one, wants)
    one.gil_wait(101 * MS).running(101 * MS + 5_000).release(111 * MS, lock, to=two)
    one.io(111 * MS, "FileIO.write", site="/app/convoy.py:15 work", size_bytes=4096)
    lock.hold(111 * MS + 8_000, 112 * MS, two, wants)
    two.running(111 * MS + 8_000).end(120 * MS)
    lock.waiters(111 * MS, 0)
    one.running(120 * MS).end(121 * MS)
    flush.end(122 * MS)
    return trace.ended(123 * MS)


def pool() -> TraceBuilder:
    """Two idle workers of an executor, a condition, a future: nobody holds what they want."""
    trace = TraceBuilder(pid=800, argv="pool.py", signals="tasks,threads,gc,gil,locks,io")
    main = trace.thread("MainThread")
    workers = [trace.thread(f"pool_{n}") for n in range(2)]
    queue = trace.lock("SimpleQueue.get", "/lib/thread.py:90 _worker")
    main.running(0)
    for n, worker in enumerate(workers):
        worker.lock_wait(n, "SimpleQueue.get", lock=queue, site="/lib/thread.py:90 _worker")
    main.release(5 * MS, queue, to=workers[0])
    future = "/app/pool.py:8 main"
    main.lock_wait(5 * MS, "Future.result", lock=77, site=future)
    workers[0].running(5 * MS).io(6 * MS, "socket.recv", site="/app/pool.py:3 get", fd=9)
    workers[0].io(9 * MS, "socket.recv", site="/app/pool.py:3 get", continues=True)
    workers[0].at_end = {s.ARG_BYTES: 1_000}
    workers[0].running(11 * MS).release(12 * MS, queue, to=main)
    workers[0].lock_wait(12 * MS, "SimpleQueue.get", lock=queue, site="/lib/thread.py:90 f")
    main.running(12 * MS).io(13 * MS, "FileIO.read", size_bytes=10, holding_gil=True)
    main.lock_wait(14 * MS, "Condition.wait", lock=78, site="/app/pool.py:9 main")
    main.at_end[s.ARG_ACQUIRED] = False
    main.running(20 * MS).end(21 * MS)
    return trace.ended(30 * MS)


def blocking_calls() -> TraceBuilder:
    """Without the signal gil: a thread's lane has only its waits, once they are over."""
    trace = TraceBuilder(pid=900, argv="calls.py", signals="tasks,gc,locks,io")
    thread = trace.thread("MainThread")
    for n, took in enumerate((10, 20, 300)):
        told: dict[str, Arg] = {s.ARG_SITE: "/app/calls.py:4 ask", s.ARG_BYTES: 100}
        at = n * 1_000_000
        thread.enter(at, s.IO_PREFIX + "socket.recv", s.CAT_IO, {}, told).end(
            at + took * 1_000
        )
    told = {s.ARG_LOCK: 5, s.ARG_SITE: "/app/calls.py:9 get", s.ARG_ACQUIRED: True}
    thread.enter(4 * MS, s.LOCK_WAIT_PREFIX + "RLock", s.CAT_LOCK, {}, told).end(5 * MS)
    thread.sleep(6 * MS, site="/app/calls.py:7 ask").end(8 * MS)
    thread.io(9 * MS, "os.waitpid", site="/app/calls.py:8 ask")
    return trace


def async_lock() -> TraceBuilder:
    """`writer` sleeps with an asyncio lock; two readers want it, one is cancelled."""
    trace = TraceBuilder(pid=1000, argv="cache.py", signals="tasks,threads,gc,locks")
    loop = trace.loop(trace.thread("MainThread"))
    lock = trace.lock("asyncio.Lock", "/app/cache.py:9 reader")
    writer = loop.task("writer", site="/app/cache.py:2 writer")
    readers = [loop.task("reader", site="/app/cache.py:8 reader") for _ in range(2)]
    writer.ready(0).running(MS).awaits(2 * MS, "sleep", site="/app/cache.py:4 writer")
    loop.step(writer, MS, 2 * MS)
    for n, task in enumerate(readers, 1):
        at = 2 * n * MS
        task.ready(n).running(at).awaits(
            at + MS, "Lock", acquired=n == 1, lock=lock.id, site="/app/cache.py:9 reader",
            owner_task=writer.id, owner_name=writer.name, owner_site="/app/cache.py:3 writer",
        )  # fmt: skip
        loop.step(task, at, at + MS)
    lock.hold(3 * MS, 51 * MS, writer, "/app/cache.py:3 writer")
    readers[1].ready(20 * MS, waker="timer").running(20 * MS).done(21 * MS, s.CANCELLED)
    loop.step(readers[1], 20 * MS, 21 * MS)
    writer.ready(50 * MS, waker="timer").running(50 * MS)
    readers[0].ready(51 * MS, by=writer)
    writer.done(52 * MS)
    loop.step(writer, 50 * MS, 52 * MS)
    lock.hold(51 * MS, 53 * MS, readers[0], "/app/cache.py:9 reader")
    readers[0].running(52 * MS).done(53 * MS)
    loop.step(readers[0], 52 * MS, 53 * MS)
    for n in range(2):  # each with a queue of its own: one row
        at = (55 + n) * MS
        worker = loop.task("worker", site="/app/cache.py:20 worker")
        worker.ready(54 * MS).running(at)
        worker.awaits(at + MS, "Queue.get", lock=90 + n, site="/app/cache.py:21 worker")
        loop.step(worker, at, at + MS)
    return trace.ended(60 * MS)


THREAD_STORIES = (gil_hog, lock_convoy, pool, blocking_calls, async_lock)


def profiled() -> TraceBuilder:
    """Two threads with CPU samples: 30 and 70 of them, some in C code, some without Python."""
    trace = TraceBuilder(pid=600)
    main, worker = trace.thread("MainThread"), trace.thread("worker")
    loop = trace.loop(main)
    task = loop.task("serve", name="server", site="/app/prog.py:9 serve")
    task.ready(0).running(10 * MS).done(40 * MS)
    loop.step(task, 10 * MS, 40 * MS)
    samples = SampleBuilder(trace)
    top = ("<module>", "/app/prog.py", 40)
    serve = ("serve", "/app/prog.py", 12)
    for n in range(10):
        samples.add(main, n * MS * 3 + 11 * MS, top, serve, ("parse", "/app/text.py", 5))
        samples.add(main, 50 * MS + n * MS, top, ("save", "/app/prog.py", 30), times=2)
    run = ("Thread.run", "/usr/lib/python3.13/threading.py", 992)
    samples.add(worker, 5 * MS, run, ("work", "/app/prog.py", 20), times=60)
    samples.add(worker, 6 * MS, run, ("work", "/app/prog.py", 21), times=8)
    samples.add(worker, 7 * MS, ("[no Python]", "", 0))
    samples.add(worker, 8 * MS, ("[lost samples]", "", 0))
    return trace.ended(100 * MS)


def every_trace() -> list[tuple[str, bytes]]:
    """(name, file) of all of them, in every way the builder can write."""
    stories = [blocked_loop, lanes, eager, killed, mixed, profiled, requests, *THREAD_STORIES]
    found = []
    for story in stories:
        found += [
            (story.__name__, story().data()),
            (f"{story.__name__} in small chunks", story().data(chunk_events=3)),
            (f"{story.__name__} late", story().data(in_call_order=True)),
        ]
    both = blocked_loop().data(chunk_events=10) + lanes().data() + gil_hog().data()
    return [*found, ("three processes", both)]
