"""A hand-made trace of a program's own events: regions, logs, tasks, a counter."""

from tests.support.builder.encoding import Arg, Event
from tests.support.builder.samples import SampleBuilder
from tests.support.builder.threads import Thread
from tests.support.builder.trace import Task, TraceBuilder
from tests.support.builder.wire import message
from tracer import schema as s

MS = 1_000_000


class UserTrack:
    """Regions and logs of a thread or task."""

    def __init__(self, owner: Thread | Task) -> None:
        self.trace = owner.trace
        self.track = self.trace.track(s.TRACK_USER, parent=owner.track)

    def begin(self, at: int, name: str, /, **args: Arg) -> Event:
        return self.trace.begin(self.track, at, name, s.CAT_USER, **args)

    def end(self, at: int, /, **args: Arg) -> None:
        self.trace.end(self.track, at).args = dict(args)

    def region(self, start: int, end: int, name: str, /, **args: Arg) -> None:
        self.begin(start, name, **args)
        self.end(end)

    def log(self, at: int, message: str, /, **args: Arg) -> None:
        self.trace.instant(self.track, at, message, s.CAT_USER, **args)


def operations(trace: TraceBuilder) -> int:
    """The parent of the operations' lanes."""
    return trace.track(s.TRACK_OPERATIONS)


def operation(
    trace: TraceBuilder, group: int, start: int, end: int, name: str, number: int, **args: Arg
) -> int:
    """A tracer.task on a lane of its own; the lane."""
    lane = trace.track(name, parent=group)
    trace.begin(lane, start, name, s.CAT_OPERATION, **{s.ARG_OPERATION: number} | args)
    trace.end(lane, end)
    return lane


def requests() -> TraceBuilder:
    """Two tasks serve requests that interleave; a worker parses, once inside parsing.

    | task 1 `serve` | request 1 to 9 ms: runs 1, awaits 2, is ready 5, runs 7 to 9          |
    | task 2 `serve` | request 2 to 8 ms: runs 2, awaits 4 to 8; fails                       |
    | worker         | parse 2 to 12 ms with parse 4 to 6 inside: wants the GIL until 10     |
    | worker         | pack 13 to 16 ms, in pieces: load (12.5 to 15) around it ends first  |
    """
    trace = TraceBuilder(pid=1100, argv="serve.py", signals="tasks,threads,gc,gil,io,cpu")
    main, worker = trace.thread("MainThread"), trace.thread("worker")
    loop = trace.loop(main)
    tasks = [loop.task("serve", site="/app/serve.py:3 serve") for _ in range(2)]
    first, second = map(UserTrack, tasks)
    group = operations(trace)
    operation(trace, group, 1 * MS, 9 * MS, "order", 1, customer="ada")
    operation(trace, group, 2 * MS, 8 * MS, "order", 2)
    tasks[0].ready(0).running(MS).awaits(2 * MS, "sleep", site="/app/serve.py:5 serve")
    loop.step(tasks[0], MS, 2 * MS)
    tasks[1].ready(0).running(2 * MS)
    first.begin(MS, "request", number=1, operation=1)
    second.begin(2 * MS, "request", number=2, operation=2)
    tasks[1].awaits(4 * MS, "socket", site="/app/serve.py:6 serve")
    loop.step(tasks[1], 2 * MS, 4 * MS)
    tasks[0].ready(5 * MS, waker="timer").running(7 * MS)
    first.log(7 * MS, "halfway", part=0.5, operation=1)
    first.end(9 * MS)
    tasks[0].done(9 * MS)
    loop.step(tasks[0], 7 * MS, 9 * MS)
    tasks[1].ready(8 * MS, waker="io")
    second.end(8 * MS, exception="ConnectionResetError")
    tasks[1].running(9 * MS).done(10 * MS)
    loop.step(tasks[1], 9 * MS, 10 * MS)
    main.running(0).end(10 * MS)
    said = UserTrack(worker)
    worker.gil_wait(0, holder=main).io(10 * MS, "FileIO.read", site="/app/serve.py:20 load")
    worker.sleep(14 * MS, site="/app/serve.py:22 load").end(20 * MS)
    said.begin(2 * MS, "parse")
    said.region(4 * MS, 6 * MS, "parse")
    said.end(12 * MS)
    said.begin(12 * MS + MS // 2, "load")
    said.begin(13 * MS, "pack", n=5)
    said.end(15 * MS)
    said.end(15 * MS)
    said.region(15 * MS, 16 * MS, "pack", continues=True)
    counter = trace.track(
        "open orders",
        message(s.TRACK_COUNTER, b""),
        parent=trace.track(s.TRACK_USER_COUNTERS),
    )
    for at, value in ((1, 1), (2, 2.5), (8, -1), (9, 0)):
        trace.counter(counter, at * MS, value)
    samples = SampleBuilder(trace, hz=1000)
    for at in range(1, 10):
        samples.add(main, at * MS + MS // 2, "main", "serve" if at < 9 else "close")
    samples.add(worker, 11 * MS, "load").add(worker, 13 * MS + MS // 2, "pack")
    return trace.ended(20 * MS)
