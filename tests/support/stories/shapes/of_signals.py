"""Shapes of failures, regions, counters and blocks; each takes about how many events it is to
have."""

from tests.support.builder.heap import Heap
from tests.support.builder.threads import Thread
from tests.support.builder.trace import TraceBuilder
from tests.support.builder.wire import message
from tests.support.stories.shapes.sizes import MS, US, shaped
from tests.support.stories.user import UserTrack
from tracer import schema as s


def _raises(thread: Thread, at: int, line: str, **how: str | int) -> None:
    name = s.ERROR_RESPONSE if s.ARG_STATUS in how else s.RAISED
    stack = f"/usr/lib/python3.13/store.py:1 ask\n{line}"
    args: dict[str, str | int] = {s.ARG_SITE: line, s.ARG_STACK: stack}
    thread.trace.instant(thread.track, at, name, s.CAT_THREAD, **args, **how)


def exceptions(events: int) -> TraceBuilder:
    """Nothing but exceptions, at many lines."""
    trace, at = shaped(), 0
    line = [trace.thread(f"worker-{n}").native(0) for n in range(20)]
    for n in range(events):
        site = f"/app/raises.py:{n % 500} f{n % 500}"
        _raises(line[n % 20], at, site, **{s.ARG_EXCEPTION: f"Error{n % 9}"})
        at += 10 * US
    return trace.ended(at + MS)


def failing_calls(events: int) -> TraceBuilder:
    """Calls at many lines that fail, and are made again at another one."""
    trace, at = shaped(), 0
    line = [trace.thread(f"worker-{n}").native(0) for n in range(20)]
    for n in range(events // 5):
        thread, site = line[n % 20], f"/app/calls.py:{n // 20 % 30} f{n // 20 % 30}"
        thread.io(at, "socket.recv", site=site, stack=site).native(at + 9 * MS)
        _raises(thread, at + 10 * MS, site, **{s.ARG_EXCEPTION: f"Error{n % 3}"})
        at += MS
    return trace.ended(at + 50 * MS)


def error_responses(events: int) -> TraceBuilder:
    """A task for each request, and the answer to each is an error."""
    trace, at = shaped(), 0
    main = trace.thread("MainThread").running(0)
    loop = trace.loop(main)
    for n in range(events // 9):
        task = loop.task("serve", site="/app/serve.py:3 serve").ready(at, waker="io")
        loop.step(task, at, at + 9 * US)
        task.running(at)
        site = f"/app/serve.py:{n % 40} serve"
        _raises(main, at + 5 * US, site, **{s.ARG_STATUS: 500 + n % 5})
        task.done(at + 9 * US)
        at += 10 * US
    return trace.ended(at + MS)


def nested_nurseries(events: int) -> TraceBuilder:
    """Each task waits in a nursery for the next one."""
    trace, at, parent = shaped(), 0, 0
    loop = trace.loop(trace.thread("MainThread").running(0), s.TRACK_TRIO_PREFIX)
    tasks = []
    for _ in range(events // 11):
        task = loop.task("child", site="/app/nested.py:3 child", parent=parent).ready(at)
        loop.step(task, at + US, at + 2 * US)
        task.running(at + US).awaits(at + 2 * US, "nursery", site="/app/nested.py:4 child")
        tasks.append(task)
        parent, at = task.id, at + 3 * US
    for task in reversed(tasks):
        task.ready(at, waker="timer")
        loop.step(task, at + US, at + 2 * US)
        task.running(at + US).done(at + 2 * US)
        at += 3 * US
    return trace.ended(at + MS)


def named_regions(events: int) -> TraceBuilder:
    """Each region has a name of its own."""
    trace, at = shaped(), 0
    said = UserTrack(trace.thread("MainThread").running(0))
    for n in range(events // 2):
        said.region(at, at + 9 * US, f"GET /items/{n}", user=n)
        at += 10 * US
    return trace.ended(at + MS)


def conditions(events: int) -> TraceBuilder:
    """The same threads wait for one condition after the other, of very many."""
    trace, at = shaped(), US
    main = trace.thread("MainThread").native(0)
    line = [trace.thread(f"w-{n}") for n in range(10)]
    locks = [
        trace.lock("Condition.wait", f"/app/wait.py:{n + 2} f")
        for n in range(max(events // 20_000, 1))
    ]
    for thread in line:
        thread.lock_wait(0, "Condition.wait", lock=locks[0], site="/app/wait.py:9 f")
    for turn in range(events // 50):
        lock, following = locks[turn % len(locks)], locks[(turn + 1) % len(locks)]
        for thread in line:
            main.release(at, lock, to=thread)
        for thread in line:
            thread.running(at + US)
            at += 3 * US
            thread.lock_wait(at, "Condition.wait", lock=following, site="/app/wait.py:9 f")
        at += MS
    return trace.ended(at + MS)


def cut_short(events: int) -> TraceBuilder:
    """One task awaits at very many lines; at many others each await is cut short."""
    trace, at = shaped(), 0
    loop = trace.loop(trace.thread("MainThread").running(0))
    task = loop.task("ask", site="/app/ask.py:3 ask").ready(0)
    cut = "/usr/lib/python3.13/asyncio/timeouts.py:120 Timeout._on_timeout"
    for n in range(events // 6):
        is_cut, line = n % 2 > 0, n // 8 if n % 2 else n % 500 + events
        loop.step(task, at, at + US)
        task.running(at).awaits(at + US, "subprocess", site=f"/app/ask.py:{line} ask")
        at += 300 * MS if is_cut else 10 * US
        task.ready(at, waker="timer" if is_cut else "io", stack=cut if is_cut else "")
        at += US
    loop.step(task, at, at + US)
    task.running(at).done(at + US)
    return trace.ended(at + MS)


def programs(events: int) -> TraceBuilder:
    """One line starts another program again and again."""
    trace, at = shaped(), 0
    main = trace.thread("MainThread").running(0)
    for n in range(events // 7):
        main.io(at, "subprocess.fork_exec", site="/app/start.py:9 run")
        main.spawn(at + US, 5_000 + n, "/bin/true", "/app/start.py:9 run")
        main.io(at + 100 * US, "os.waitpid", site="/app/start.py:10 run").running(at + MS)
        at += 2 * MS
    return trace.ended(at + MS)


def queue_lengths(events: int) -> TraceBuilder:
    """The lengths of many queues, which grow all the time."""
    trace, at = shaped(), 0
    below, extra = trace.track(s.TRACK_QUEUES), message(s.TRACK_COUNTER, b"")
    tracks = [
        trace.track(f"queue {n} /app/queue.py:{n} f", extra, parent=below)
        for n in range(max(events // 1_000, 1))
    ]
    for n in range(events):
        trace.counter(tracks[n % len(tracks)], at, n // len(tracks))
        at += 10 * US
    return trace.ended(at + MS)


def blocks(events: int) -> TraceBuilder:
    """Sampled blocks of many lines, each freed after a thousand others."""
    trace, at = TraceBuilder(argv="shape.py", signals="tasks,threads,gc,gil,heap"), 0
    main = trace.thread("MainThread").running(0)
    heap = Heap(trace, tid=main.tid)
    made: list[int] = []
    for n in range(events // 2):
        line = f"/app/blocks.py:{n % 3_000} make"
        made.append(heap.alloc(at, 64 + n % 900, line, "/app/blocks.py:9 main"))
        if n > 1_000:
            heap.free(at + US, made[n - 1_000])
        at += 2 * US
    heap.ended(at)
    return trace.ended(at + MS)
