"""The traces several tests share, each a small story told with the builder."""

from tests.builder import TraceBuilder
from tests.encoding import Event
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


def every_trace() -> list[tuple[str, bytes]]:
    """(name, file) of all of them, in every way the builder can write."""
    stories = [blocked_loop, lanes, eager, killed, mixed]
    found = []
    for story in stories:
        found += [
            (story.__name__, story().data()),
            (f"{story.__name__} in small chunks", story().data(chunk_events=3)),
            (f"{story.__name__} late", story().data(in_call_order=True)),
        ]
    both = blocked_loop().data(chunk_events=10) + lanes().data()
    return [*found, ("two processes", both)]
