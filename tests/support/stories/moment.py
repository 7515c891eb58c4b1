"""A program at one moment: who waits for whom, who runs, whose stack is unknown."""

from tests.support.builder.samples import SampleBuilder
from tests.support.builder.trace import Loop, Task, TraceBuilder
from tracer import schema as s

MS = 1_000_000
AT = 100 * MS
FETCH = "/lib/python3.13/asyncio/locks.py:110 Lock.acquire\n/app/app.py:12 fetch"
CREATED = (
    "/lib/python3.13/asyncio/base_events.py:469 BaseEventLoop.create_task\n/app/app.py:23 main"
)
HANDLE = "/lib/python3.13/asyncio/events.py:89 Handle._run\n/app/app.py:90 <module>"


def moment() -> TraceBuilder:
    """The moment is AT.

    Two tasks wait for a lock that `holder` has, which awaits `kid`, which waits for a future.
    `late` was woken in its await, `new` has not run yet, `polite` has yielded, `old` is from
    before the recording. The loop's thread is in a call in a step of `busy`. The worker waits
    for a lock of the thread `counts`, which computes; that was sampled.
    """
    trace = TraceBuilder(signals="tasks,threads,gc,gil,locks,io,sched,cpu")
    main = trace.thread("MainThread", 100)
    worker = trace.thread("worker", 101)
    counts = trace.thread("counts", 102)
    gone = trace.thread("gone", 103)
    loop = trace.loop(main)
    lock = trace.lock("Lock", "/app/app.py:50 work")
    shared = trace.lock("asyncio.Lock", "/app/app.py:12 fetch")

    # A story is told in order of time, except that each track is told by itself.
    main.running(0)
    start = trace.instant(
        main.track, 1 * MS, s.THREAD_START, s.CAT_THREAD,
        site="/app/app.py:80 <module>",
        stack="/lib/python3.13/threading.py:953 Thread.start\n/app/app.py:80 <module>",
    )  # fmt: skip
    begun = worker.native(2 * MS).state
    assert begun is not None
    trace.arrow(start, begun)
    worker.lock_wait(
        10 * MS, "Lock", lock=lock, owner=counts, site="/app/app.py:50 work",
        stack="/app/app.py:50 work\n/lib/python3.13/threading.py:992 Thread.run",
    )  # fmt: skip
    lock.hold(10 * MS, 150 * MS, counts, site="/app/app.py:60 count")
    counts.native(5 * MS)
    gone.native(3 * MS).end(4 * MS)
    trace.instant(gone.track, 4 * MS, s.THREAD_EXIT, s.CAT_THREAD)

    trace.instant(loop.running, 1 * MS, s.LOOP_STARTED, s.CAT_LOOP)
    first = loop.task("main", "busy", "/app/app.py:20 main").ready(1 * MS)
    _runs(loop, first, 2)
    first.awaits(3 * MS, "sleep", stack="/app/app.py:21 main", site="/app/app.py:21 main")
    first.ready(89 * MS)
    _runs(loop, first, 90, 120)
    first.awaits(120 * MS, "sleep", site="/app/app.py:24 main")
    main.io(90 * MS, "socket.recv", stack="/app/app.py:22 main\n" + HANDLE).running(119 * MS)

    holder = loop.task("holder", "h", "/app/app.py:8 holder", parent=first.id)
    holder.ready(2 * MS, stack=CREATED)
    _runs(loop, holder, 3)
    holder.awaits(4 * MS, "task kid", stack="/app/app.py:10 holder")
    kid = loop.task("child", "kid", "/app/app.py:17 child", parent=holder.id).ready(3 * MS)
    _runs(loop, kid, 4)
    kid.awaits(5 * MS, "future", site="/app/app.py:18 child")
    for n in range(2):
        fetch = loop.task("fetch", f"f{n}", "/app/app.py:11 fetch", parent=first.id)
        fetch.ready(2 * MS, stack=CREATED)
        _runs(loop, fetch, 5 + n)
        at = (6 + n) * MS
        fetch.awaits(at, "Lock", lock=shared.id, owner_task=holder.id, stack=FETCH)
    shared.hold(6 * MS, 150 * MS, holder, site="/app/app.py:9 holder")
    late = loop.task("late", "late", "/app/app.py:30 late").ready(1 * MS)
    _runs(loop, late, 7)
    late.awaits(8 * MS, "Event", stack="/app/app.py:31 late").ready(95 * MS)
    loop.task("new", "new", "/app/app.py:40 new").ready(96 * MS)
    polite = loop.task("polite", "polite", "/app/app.py:44 polite").ready(7 * MS)
    _runs(loop, polite, 8)
    polite.ready(9 * MS)
    loop.task("old", "old", "/app/app.py:46 old").awaits(0, "future")
    done = loop.task("done", "done", "/app/app.py:48 done").ready(1 * MS)
    _runs(loop, done, 9)
    done.done(10 * MS)

    trace.ended(200 * MS)
    samples = SampleBuilder(trace)
    samples.add(counts, 90 * MS, "early")
    samples.add(counts, 104 * MS, "count")
    return trace


def _runs(loop: Loop, task: Task, start_ms: int, end_ms: int = 0) -> None:
    """A step of a task, by default of 1 ms."""
    task.running(start_ms * MS)
    loop.step(task, start_ms * MS, (end_ms or start_ms + 1) * MS)
