"""Traces made by hand, so that a test can state one in a few lines.

    trace = TraceBuilder()
    loop = trace.loop(trace.thread("MainThread"))
    tick = loop.task("tick", site="blocked_loop.py:9 tick")
    tick.ready(0).running(1_000).awaits(2_000, "sleep").ready(9_000).running(9_500).done(9_900)
    loop.step(tick, 1_000, 2_000)
    data = trace.data()

Times are ns after the trace's start. Events are written in order of time (`data()`), or in the
order of the calls (`data(in_call_order=True)`): the late ones then have absolute timestamps.
"""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.support.builder.encoding import Arg, Event, encode_chunk
from tests.support.builder.threads import Lock, Thread
from tests.support.builder.wire import message, number, text
from tracer import schema as s


class TraceBuilder:
    """One process and its tracks; `data()` is the file."""

    def __init__(
        self,
        *,
        pid: int = 100,
        start_ns: int = 1_000_000_000,
        argv: str = "prog.py",
        recording: bool = True,
        version: int = s.VERSION,
        signals: str = "tasks,gc",
        unique: int = 0,  # made into ids; the pid, unless two processes have the same
    ) -> None:
        self.pid, self.start_ns = pid, start_ns
        unique = unique or pid
        self.sequence_id = unique * 2  # descriptors; events have the next one
        self.uuids = itertools.count(unique << 20)
        self.flow_ids = itertools.count((unique << 32) + 1)
        self.task_ids = itertools.count(1)
        self.tids = itertools.count(pid)
        self.lock_ids = itertools.count(1)
        self.locks = 0  # parent of the locks' tracks, made with the first
        self.events: list[Event] = []
        self.descriptors: dict[int, bytes] = {}
        self.extra_packets: list[bytes] = []  # framed; at the end of the first chunk
        body = number(s.PROCESS_PID, pid)
        for word in argv.split():
            body += text(s.PROCESS_CMDLINE, word)
        self.process = self.track("", message(s.TRACK_PROCESS, body), parent=None)
        self.tracer = self.track(s.TRACK_TRACER)
        self.gc_track = self.track(s.TRACK_GC)
        if recording:
            self.instant(
                self.tracer, 0, s.RECORDING, s.CAT_TRACER,
                schema=version, python="3.13.0", argv=argv, signals=signals, clock="tsc",
            )  # fmt: skip

    def track(self, name: str, extra: bytes = b"", parent: int | None = -1) -> int:
        """A new track's uuid; its parent is the process unless said otherwise."""
        uuid = next(self.uuids)
        body = number(s.TRACK_UUID, uuid) + (text(s.TRACK_NAME, name) if name else b"")
        if parent is not None:
            body += number(s.TRACK_PARENT_UUID, self.process if parent == -1 else parent)
        self.descriptors[uuid] = body + extra
        return uuid

    def thread(self, name: str, tid: int | None = None) -> Thread:
        tid = next(self.tids) if tid is None else tid
        body = number(s.THREAD_PID, self.pid) + number(s.THREAD_TID, tid)
        body += text(s.THREAD_NAME, name)
        track = self.track("", message(s.TRACK_THREAD, body))
        return Thread(self, track, tid, name)

    def lock(self, kind: str, site: str, id_: int = 0) -> Lock:
        """A contended lock with a track of its own below `Locks`."""
        if not self.locks:
            self.locks = self.track(s.TRACK_LOCKS)
        track = self.track(f"{kind} {site}", parent=self.locks)
        return Lock(self, track, id_ or next(self.lock_ids), kind)

    def loop(self, thread: Thread, kind: str = s.TRACK_LOOP_PREFIX) -> "Loop":
        group = self.track(kind + thread.name)
        return Loop(
            self,
            self.track(s.TRACK_RUNNING_TASK, parent=group),
            self.track(s.TRACK_READY_QUEUE, message(s.TRACK_COUNTER, b""), parent=group),
            self.track(s.TRACK_TASKS, parent=group),
        )

    def add(self, event: Event) -> Event:
        event.time_ns += self.start_ns
        self.events.append(event)
        return event

    def arrow(self, source: Event, target: Event) -> None:
        flow = next(self.flow_ids)
        source.flows.append(flow)
        target.ends_flows.append(flow)

    def begin(self, track: int, at: int, name: str, category: str, /, **args: Arg) -> Event:
        return self.add(Event(at, s.TYPE_SLICE_BEGIN, track, name, category, args))

    def end(self, track: int, at: int) -> Event:
        return self.add(Event(at, s.TYPE_SLICE_END, track))

    def instant(self, track: int, at: int, name: str, category: str, /, **args: Arg) -> Event:
        return self.add(Event(at, s.TYPE_INSTANT, track, name, category, args))

    def counter(self, track: int, at: int, value: float) -> Event:
        return self.add(Event(at, s.TYPE_COUNTER, track, value=value))

    def gc(
        self,
        start: int,
        end: int,
        tid: int,
        generation: int = 0,
        collected: int = 0,
        called_at: str = "",
    ) -> None:
        """A collection; `called_at`: the site where gc.collect() was called for it."""
        called: dict[str, Arg] = (
            {s.ARG_EXPLICIT: True, s.ARG_SITE: called_at} if called_at else {}
        )
        self.begin(
            self.gc_track, start, f"{s.GC_PREFIX}{generation}", s.CAT_GC,
            generation=generation, collected=collected, uncollectable=0, tid=tid, **called,
        )  # fmt: skip
        self.end(self.gc_track, end)

    def ended(self, at: int, **args: Arg) -> Self:
        """The last event of a recording that was not killed."""
        full: dict[str, Arg] = {"events": len(self.events), "dropped": 0, "bytes": 0}
        full |= {"overhead_ns": 0, "late": 0} | args
        self.add(Event(at, s.TYPE_INSTANT, self.tracer, s.RECORDING_ENDED, s.CAT_TRACER, full))
        return self

    def chunks(
        self, *, chunk_events: int = 1 << 30, in_call_order: bool = False
    ) -> list[list[bytes]]:
        """The packets of each chunk, framed."""
        events = self.events
        if not in_call_order:
            # A flight recording has events older than `recording`, which stays the first.
            events = sorted(
                events, key=lambda event: (event.name != s.RECORDING, event.time_ns)
            )
        chunks = [
            # Like the recorder: the first chunk describes all tracks, later ones their own.
            encode_chunk(
                self.descriptors, self.sequence_id, events[i : i + chunk_events], i == 0
            )
            for i in range(0, len(events), chunk_events)
        ]
        for packet in self.extra_packets:
            chunks[0].append(packet)
        return chunks

    def data(self, *, chunk_events: int = 1 << 30, in_call_order: bool = False) -> bytes:
        chunks = self.chunks(chunk_events=chunk_events, in_call_order=in_call_order)
        return b"".join(itertools.chain.from_iterable(chunks))


def write_large(path: Path, events: int) -> int:
    """Writes a large trace; see stories/large.py, made of this module's parts."""
    from tests.support.stories import large

    return large.write_large(path, events)


@dataclass(slots=True)
class Loop:
    trace: TraceBuilder
    running: int
    queue: int
    tasks: int

    def task(self, coro: str, name: str = "", site: str = "", parent: int = 0) -> "Task":
        """A task with a track of its own."""
        id_ = next(self.trace.task_ids)
        name = name or f"Task-{id_}"
        extra = number(s.TRACK_SIBLING_MERGE, s.MERGE_NONE)
        track = self.trace.track(f"{name} {coro}()", extra, parent=self.tasks)
        return Task(self.trace, track, id_, name, coro, site, parent)

    def lane(self, coro: str) -> int:
        """A merged lane: a track for one task of `coro` after the other."""
        return self.trace.track(f"{coro}()", parent=self.tasks)

    def task_on_lane(self, lane: int, coro: str, name: str = "", site: str = "") -> "Task":
        id_ = next(self.trace.task_ids)
        return Task(self.trace, lane, id_, name or f"Task-{id_}", coro, site, 0, True)

    def step(self, task: "Task", start: int, end: int) -> Event:
        begun = self.trace.begin(self.running, start, task.coro, s.CAT_LOOP, task=task.id)
        self.trace.end(self.running, end)
        return begun

    def callback(
        self, name: str, site: str, start: int, end: int, *, by: Event | None = None
    ) -> Event:
        """What the loop ran; its arrow comes from `by`, of who scheduled it."""
        begun = self.trace.begin(self.running, start, name, s.CAT_LOOP, site=site)
        self.trace.end(self.running, end)
        if by is not None:
            self.trace.arrow(by, begun)
        return begun

    def wakes(self, at: int) -> Event:
        """The source of an arrow, inside a step that began long before."""
        return self.trace.instant(self.running, at, s.WAKE, s.CAT_LOOP)

    def select(self, start: int, end: int) -> None:
        self.trace.begin(self.running, start, s.SELECT, s.CAT_LOOP)
        self.trace.end(self.running, end)


@dataclass(slots=True)
class Task:
    """Each state ends the one before it at the same time."""

    trace: TraceBuilder
    track: int
    id: int
    name: str
    coro: str
    site: str
    parent: int
    on_lane: bool = False
    state: Event | None = None
    acquires: bool = True

    def enter(self, at: int, name: str, /, **args: Arg) -> Self:
        if self.state is not None:
            ended = self.trace.end(self.track, at)
            if s.ARG_LOCK in self.state.args:
                ended.args[s.ARG_ACQUIRED] = self.acquires
        else:
            head: dict[str, Arg] = {"task": self.id, "name": self.name, "coro": self.coro}
            head |= {"site": self.site} if self.site else {}
            head |= {"parent": self.parent} if self.parent else {}
            if self.on_lane:
                event = Event(
                    at, s.TYPE_SLICE_BEGIN, self.track, self.name, s.CAT_LIFETIME, head
                )
                self.trace.add(event)
            else:
                args = head | args
        event = Event(at, s.TYPE_SLICE_BEGIN, self.track, name, s.CAT_TASK, args)
        self.state = self.trace.add(event)
        return self

    def ready(self, at: int, *, by: "Task | Event | None" = None, **args: Arg) -> Self:
        """Ready; its arrow comes from `by`: a running task, a callback's slice, a `wake`.

        Who is behind a callback or a wake is said in `args`.
        """
        if isinstance(by, Task):
            args["waker_task"] = by.id
        self.enter(at, s.READY, **args)
        source = by.state if isinstance(by, Task) else by
        if by is not None:
            assert source is not None
            assert self.state is not None
            self.trace.arrow(source, self.state)
        return self

    def running(self, at: int) -> Self:
        return self.enter(at, s.RUNNING)

    def awaits(self, at: int, what: str, *, acquired: bool = True, **args: Arg) -> Self:
        """For a wait for a `lock`, `acquired` is on its END."""
        self.acquires = acquired
        return self.enter(at, s.AWAIT_PREFIX + what, **args)

    def done(self, at: int, how: str = s.DONE) -> Self:
        self.trace.end(self.track, at)
        self.trace.instant(self.track, at, how, s.CAT_TASK)
        if self.on_lane:
            self.trace.end(self.track, at)
        self.state = None
        return self
