"""Shapes of tasks and loops; each takes about how many events it is to have."""

from tests.support.builder.trace import TraceBuilder
from tests.support.stories.shapes.sizes import MS, US, shaped
from tests.support.stories.user import UserTrack
from tracer import schema as s


def tasks_ready_at_once(events: int) -> TraceBuilder:
    """A gather of very many tasks: all are ready before the first one runs, three times."""
    tasks, trace = events // 30, shaped()
    main = trace.thread("MainThread").running(0)
    loop = trace.loop(main)
    lanes = [loop.task("retry", site="/app/storm.py:5 retry") for _ in range(tasks)]
    at = 0
    for turn in range(3):
        for task in lanes:
            task.ready(at, waker="timer") if turn else task.ready(at)
        for task in lanes:
            loop.step(task, at + US, at + 3 * US)
            task.running(at + US).awaits(at + 3 * US, "sleep", site="/app/storm.py:6 retry")
            at += 3 * US
    return trace.ended(at + MS)


def coroutines_ready_at_once(events: int) -> TraceBuilder:
    """As many coroutines as tasks: each waits behind each."""
    tasks, trace = events // 10, shaped()
    loop = trace.loop(trace.thread("MainThread").running(0))
    ready = [
        loop.task(f"step_{n}", site=f"/app/many.py:{n + 1} step_{n}").ready(n)
        for n in range(tasks)
    ]
    at = tasks
    for task in ready:
        loop.step(task, at, at + 2 * US)
        task.running(at).done(at + 2 * US)
        at += 2 * US
    return trace.ended(at + MS)


def short_tasks(events: int) -> TraceBuilder:
    """A task per request, each on a track of its own, each made by the one before."""
    trace = shaped()
    loop = trace.loop(trace.thread("MainThread").running(0))
    at, parent = 0, 0
    for _ in range(events // 11):
        task = loop.task("serve", site="/app/serve.py:3 serve", parent=parent).ready(at)
        parent = task.id
        loop.step(task, at + US, at + 2 * US)
        task.running(at + US).awaits(at + 2 * US, "socket", site="/app/serve.py:5 serve")
        task.ready(at + 3 * US, waker="io")
        loop.step(task, at + 3 * US, at + 4 * US)
        task.running(at + 3 * US).done(at + 4 * US)
        at += 5 * US
    return trace.ended(at + MS)


def many_loops(events: int) -> TraceBuilder:
    """An `asyncio.run` after the other on one thread, each with a collection."""
    trace = shaped()
    main = trace.thread("MainThread").running(0)
    at = 0
    for _ in range(events // 13):
        loop = trace.loop(main)
        task = loop.task("main", site="/app/test.py:3 main").ready(at)
        loop.step(task, at + US, at + 40 * US)
        trace.gc(at + 2 * US, at + 30 * US, main.tid, 2, 1)
        task.running(at + US).done(at + 40 * US)
        loop.callback("close", "/app/test.py:9 close", at + 41 * US, at + 42 * US)
        at += 50 * US
    return trace.ended(at + MS)


def many_loop_threads(events: int) -> TraceBuilder:
    """Each thread runs a loop of its own, all at once."""
    trace = shaped()
    for n in range(events // 20):
        thread = trace.thread(f"loop-{n}").native(n)
        loop = trace.loop(thread)
        a, b = (loop.task(name, site=f"/app/l.py:1 {name}").ready(n) for name in "ab")
        loop.step(a, n + US, n + 30 * MS)
        a.running(n + US).done(n + 30 * MS)
        loop.step(b, n + 30 * MS, n + 31 * MS)
        b.running(n + 30 * MS).done(n + 31 * MS)
        thread.end(n + 31 * MS)
    return trace.ended(events + 40 * MS)


def collections(events: int) -> TraceBuilder:
    """Thousands of collections inside of steps that others wait for."""
    trace = shaped()
    main = trace.thread("MainThread").running(0)
    loop = trace.loop(main)
    tasks = [loop.task(f"t{n}", site=f"/app/g.py:{n + 1} t{n}").ready(0) for n in range(3)]
    at = 0
    for turn in range(events // 12):
        task = tasks[turn % 3]
        loop.step(task, at, at + 90 * US)
        task.running(at)
        trace.gc(at + 10 * US, at + 80 * US, main.tid, turn % 3, turn)
        main.gc(at + 10 * US, at + 80 * US, turn % 3)
        task.ready(at + 90 * US)
        at += 100 * US
    return trace.ended(at + MS)


def nested_steps(events: int) -> TraceBuilder:
    """Eager tasks, each started within the one before, fifty deep."""
    trace, deep = shaped(), 50
    loop = trace.loop(trace.thread("MainThread").running(0))
    at = 0
    for _ in range(events // (7 * deep)):
        tasks = [loop.task("eager", site="/app/e.py:1 eager") for _ in range(deep)]
        for task in tasks:
            trace.begin(loop.running, at, "eager", s.CAT_LOOP, task=task.id)
            task.running(at)
            at += US
        for task in reversed(tasks):
            task.awaits(at, "future", site="/app/e.py:2 eager")
            trace.end(loop.running, at)
            at += US
        for task in tasks:
            task.ready(at).running(at + US).done(at + 2 * US)
            loop.step(task, at + US, at + 2 * US)
            at += 2 * US
    return trace.ended(at + MS)


def lock_behind_awaits(events: int) -> TraceBuilder:
    """Tasks wait for an asyncio.Lock whose owner awaits again and again."""
    trace = shaped()
    loop = trace.loop(trace.thread("MainThread").running(0))
    owner = loop.task("owner", site="/app/a.py:1 owner").ready(0)
    waiters = [loop.task("waiter", site="/app/a.py:9 waiter").ready(0) for _ in range(10)]
    lock = trace.lock("asyncio.Lock", "/app/a.py:3 owner")
    at = US
    for waiter in waiters:
        loop.step(waiter, at, at + US)
        waiter.running(at).awaits(
            at + US, "Lock", lock=lock.id, site="/app/a.py:10 waiter", owner_task=owner.id
        )
        at += US
    begin = at
    for _ in range(events // 10):
        loop.step(owner, at, at + US)
        owner.running(at).awaits(at + US, "socket", site="/app/a.py:4 owner")
        owner.ready(at + 20 * US, waker="io")
        at += 21 * US
    lock.hold(begin, at, owner, site="/app/a.py:3 owner")
    loop.step(owner, at, at + US)
    owner.running(at)
    for waiter in waiters:
        waiter.ready(at + US, by=owner)
    owner.done(at + US)
    return trace.ended(at + MS)


def blocking_calls(events: int) -> TraceBuilder:
    """Long calls on a loop's thread, each at a line of its own."""
    trace = shaped()
    main = trace.thread("MainThread").running(0)
    loop = trace.loop(main)
    tasks = [loop.task(f"t{n}", site=f"/app/c.py:{n + 1} t{n}").ready(0) for n in range(3)]
    at = 0
    for turn in range(events // 12):
        task = tasks[turn % 3]
        loop.step(task, at, at + 30 * MS)
        task.running(at).ready(at + 30 * MS)
        main.io(at + US, "read", site=f"/app/c.py:{turn} f").running(at + 29 * MS)
        at += 31 * MS
    return trace.ended(at + MS)


def regions(events: int) -> TraceBuilder:
    """Regions within regions, of a thread and of tasks, with logs."""
    trace = shaped()
    main = trace.thread("MainThread").running(0)
    loop = trace.loop(main)
    of_thread, at = UserTrack(main), 0
    for turn in range(events // 20):
        task = loop.task("serve", site="/app/serve.py:3 serve").ready(at)
        said = UserTrack(task)
        task.running(at + US)
        said.begin(at + US, f"request {turn % 5}")
        of_thread.begin(at + US, "outer")
        of_thread.region(at + 2 * US, at + 3 * US, "inner")
        of_thread.log(at + 3 * US, "said", n=turn)
        said.end(at + 4 * US)
        task.done(at + 4 * US)
        loop.step(task, at + US, at + 4 * US)
        of_thread.end(at + 5 * US)
        at += 10 * US
    return trace.ended(at + MS)


def pool(events: int) -> TraceBuilder:
    """Workers of asyncio's pool, busy and idle in turn, with more work than they can do."""
    trace = shaped()
    main = trace.thread("MainThread").running(0)
    loop = trace.loop(main)
    workers = [trace.thread(f"asyncio_{n}") for n in range(4)]
    at = 0
    for turn in range(events // 40):
        for worker in workers:
            worker.sleep(at, site="/app/work.py:3 work")
            worker.lock_wait(at + 600 * MS, "executor idle", lock=900 + turn)
        task = loop.task("ask", site="/app/work.py:9 ask").ready(at)
        loop.step(task, at + US, at + 2 * US)
        task.running(at + US).awaits(at + 2 * US, "executor", site="/app/work.py:10 ask")
        task.ready(at + 5_000 * MS, waker="timer")
        task.running(at + 5_001 * MS).done(at + 5_002 * MS)
        loop.step(task, at + 5_001 * MS, at + 5_002 * MS)
        at += 700 * MS
    return trace.ended(at + 6_000 * MS)


def leak(events: int) -> TraceBuilder:
    """Tasks that are never woken pile up."""
    trace = shaped()
    loop = trace.loop(trace.thread("MainThread").running(0))
    at = 0
    for _ in range(events // 7):
        task = loop.task("forgotten", site="/app/leak.py:3 forgotten").ready(at)
        loop.step(task, at + US, at + 2 * US)
        task.running(at + US).awaits(at + 2 * US, "future", site="/app/leak.py:4 forgotten")
        at += 200 * US
    return trace.ended(at + 2_000 * MS)
