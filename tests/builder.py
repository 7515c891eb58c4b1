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
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.wire_writer import fixed64, message, number, text
from tracer import schema as s
from viewer.wire import fields, varint

type Arg = int | str | bool | float


@dataclass(slots=True)
class Event:
    """One TrackEvent before it is encoded."""

    time_ns: int
    type: int
    track: int
    name: str = ""
    category: str = ""
    args: dict[str, Arg] = field(default_factory=dict)
    flows: list[int] = field(default_factory=list)
    ends_flows: list[int] = field(default_factory=list)
    value: int | None = None
    inline: bool = False  # names written out instead of interned


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
    ) -> None:
        self.pid, self.start_ns = pid, start_ns
        self.sequence_id = pid * 2  # descriptors; events have the next one
        self.uuids = itertools.count(pid << 20)
        self.flow_ids = itertools.count((pid << 32) + 1)
        self.task_ids = itertools.count(1)
        self.tids = itertools.count(pid)
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
                schema=version, python="3.13.0", argv=argv, signals="tasks,gc", clock="tsc",
            )  # fmt: skip

    def track(self, name: str, extra: bytes = b"", parent: int | None = -1) -> int:
        """A new track's uuid; its parent is the process unless said otherwise."""
        uuid = next(self.uuids)
        body = number(s.TRACK_UUID, uuid) + (text(s.TRACK_NAME, name) if name else b"")
        if parent is not None:
            body += number(s.TRACK_PARENT_UUID, self.process if parent == -1 else parent)
        self.descriptors[uuid] = body + extra
        return uuid

    def thread(self, name: str, tid: int | None = None) -> "Thread":
        tid = next(self.tids) if tid is None else tid
        body = number(s.THREAD_PID, self.pid) + number(s.THREAD_TID, tid)
        body += text(s.THREAD_NAME, name)
        track = self.track("", message(s.TRACK_THREAD, body))
        return Thread(self, track, tid, name)

    def loop(self, thread: "Thread") -> "Loop":
        group = self.track(s.TRACK_LOOP_PREFIX + thread.name)
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

    def begin(self, track: int, at: int, name: str, category: str, /, **args: Arg) -> Event:
        return self.add(Event(at, s.TYPE_SLICE_BEGIN, track, name, category, args))

    def end(self, track: int, at: int) -> Event:
        return self.add(Event(at, s.TYPE_SLICE_END, track))

    def instant(self, track: int, at: int, name: str, category: str, /, **args: Arg) -> Event:
        return self.add(Event(at, s.TYPE_INSTANT, track, name, category, args))

    def counter(self, track: int, at: int, value: int) -> Event:
        return self.add(Event(at, s.TYPE_COUNTER, track, value=value))

    def gc(
        self, start: int, end: int, tid: int, generation: int = 0, collected: int = 0
    ) -> None:
        self.begin(
            self.gc_track, start, f"{s.GC_PREFIX}{generation}", s.CAT_GC,
            generation=generation, collected=collected, uncollectable=0, tid=tid,
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
            events = sorted(events, key=lambda event: event.time_ns)
        chunks = [
            # Like the recorder: the first chunk describes all tracks, later ones their own.
            _encode_chunk(self, events[i : i + chunk_events], i == 0)
            for i in range(0, len(events), chunk_events)
        ]
        for packet in self.extra_packets:
            chunks[0].append(packet)
        return chunks

    def data(self, *, chunk_events: int = 1 << 30, in_call_order: bool = False) -> bytes:
        chunks = self.chunks(chunk_events=chunk_events, in_call_order=in_call_order)
        return b"".join(itertools.chain.from_iterable(chunks))


def write_large(path: Path, events: int) -> int:
    """Writes a large trace; see tests.large, which is made of this module's parts."""
    from tests import large

    return large.write_large(path, events)


@dataclass(slots=True)
class Thread:
    trace: TraceBuilder
    track: int
    tid: int
    name: str


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

    def callback(self, name: str, site: str, start: int, end: int) -> Event:
        begun = self.trace.begin(self.running, start, name, s.CAT_LOOP, site=site)
        self.trace.end(self.running, end)
        return begun

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

    def enter(self, at: int, name: str, /, **args: Arg) -> Self:
        if self.state is not None:
            self.trace.end(self.track, at)
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

    def ready(self, at: int, *, by: "Task | None" = None, **args: Arg) -> Self:
        """Ready; `by` a running task, with the flow from its slice."""
        if by is not None:
            args["waker_task"] = by.id
        self.enter(at, s.READY, **args)
        if by is not None:
            flow = next(self.trace.flow_ids)
            assert by.state is not None
            assert self.state is not None
            by.state.flows.append(flow)
            self.state.ends_flows.append(flow)
        return self

    def running(self, at: int) -> Self:
        return self.enter(at, s.RUNNING)

    def awaits(self, at: int, what: str, **args: Arg) -> Self:
        return self.enter(at, s.AWAIT_PREFIX + what, **args)

    def done(self, at: int, how: str = s.DONE) -> Self:
        self.trace.end(self.track, at)
        self.trace.instant(self.track, at, how, s.CAT_TASK)
        if self.on_lane:
            self.trace.end(self.track, at)
        self.state = None
        return self


class _Names:
    """Interned names of one chunk, and what is new since the last packet."""

    def __init__(self) -> None:
        self.iids: dict[tuple[int, str], int] = {}
        self.fresh = b""

    def iid(self, table: int, name: str) -> int:
        if (table, name) not in self.iids:
            self.iids[table, name] = len(self.iids) + 1
            body = number(s.INTERNED_IID, len(self.iids)) + text(s.INTERNED_NAME, name)
            self.fresh += message(table, body)
        return self.iids[table, name]


def _encode_chunk(trace: TraceBuilder, events: list[Event], describe_all: bool) -> list[bytes]:
    names = _Names()
    now = events[0].time_ns
    sequence = number(s.PACKET_SEQUENCE_ID, trace.sequence_id + 1)
    default = events[0].track
    packets = [_frame(chunk_head(now, default) + sequence)]
    used = set(trace.descriptors) if describe_all else set()
    for event in events:
        used.update(_ancestry(trace, event.track))
    for track in sorted(used):
        owner = number(s.PACKET_SEQUENCE_ID, trace.sequence_id)
        body = message(s.PACKET_TRACK_DESCRIPTOR, trace.descriptors[track])
        packets.append(_frame(owner + body))
    for event in events:
        body = message(s.PACKET_TRACK_EVENT, _encode_event(event, names, default))
        if names.fresh:
            body = message(s.PACKET_INTERNED_DATA, names.fresh) + body
            names.fresh = b""
        if event.time_ns >= now:
            stamp = number(s.PACKET_TIMESTAMP, event.time_ns - now)
            now = event.time_ns
        else:
            stamp = number(s.PACKET_TIMESTAMP, event.time_ns)
            stamp += number(s.PACKET_CLOCK_ID, s.CLOCK_MONOTONIC)
        packets.append(_frame(stamp + sequence + body))
    return packets


def _ancestry(trace: TraceBuilder, uuid: int) -> list[int]:
    """The tracks above and the track itself, outermost first."""
    found = [uuid]
    while parent := _parent(trace.descriptors[found[0]]):
        found.insert(0, parent)
    return found


def _parent(descriptor: bytes) -> int:
    tag = varint(s.TRACK_PARENT_UUID)
    return next((n for t, n, _ in fields(descriptor, 0, len(descriptor)) if t == tag), 0)


def _frame(packet: bytes) -> bytes:
    return message(s.TRACE_PACKET, packet)


def chunk_head(now: int, default_track: int) -> bytes:
    clocks = b""
    for clock, time, extra in (
        (s.CLOCK_MONOTONIC, now, b""),
        (s.CLOCK_REALTIME, now + 1_700_000_000_000_000_000, b""),
        (s.CLOCK_BOOTTIME, now + 5, b""),
        (s.CLOCK_DELTA, now, number(s.CLOCK_IS_INCREMENTAL, 1)),
    ):
        body = number(s.CLOCK_ID, clock) + number(s.CLOCK_TIMESTAMP, time) + extra
        clocks += message(s.SNAPSHOT_CLOCKS, body)
    clocks += number(s.SNAPSHOT_PRIMARY, s.CLOCK_MONOTONIC)
    track = number(s.EVENT_DEFAULTS_TRACK_UUID, default_track)
    defaults = number(s.DEFAULTS_CLOCK_ID, s.CLOCK_DELTA)
    defaults += message(s.DEFAULTS_TRACK_EVENT, track)
    return (
        number(s.PACKET_SEQUENCE_FLAGS, s.FLAG_STATE_CLEARED)
        + message(s.PACKET_CLOCK_SNAPSHOT, clocks)
        + message(s.PACKET_DEFAULTS, defaults)
    )


def _encode_event(event: Event, names: _Names, default_track: int) -> bytes:
    body = number(s.EVENT_TYPE, event.type)
    if event.track != default_track:
        body += number(s.EVENT_TRACK_UUID, event.track)
    if event.inline:
        body += text(s.EVENT_NAME, event.name) + text(s.EVENT_CATEGORIES, event.category)
    else:
        if event.name:
            body += number(s.EVENT_NAME_IID, names.iid(s.INTERNED_EVENT_NAMES, event.name))
        if event.category:
            iid = names.iid(s.INTERNED_CATEGORIES, event.category)
            body += number(s.EVENT_CATEGORY_IIDS, iid)
    for name, value in event.args.items():
        body += message(s.EVENT_ANNOTATIONS, _encode_arg(name, value, names, event.inline))
    if event.value is not None:
        body += number(s.EVENT_COUNTER_VALUE, event.value)
    for flow in event.flows:
        body += fixed64(s.EVENT_FLOW_IDS, flow)
    for flow in event.ends_flows:
        body += fixed64(s.EVENT_TERMINATING_FLOW_IDS, flow)
    return body


def _encode_arg(name: str, value: Arg, names: _Names, inline: bool) -> bytes:
    if inline:
        body = text(s.ANNOTATION_NAME, name)
    else:
        body = number(s.ANNOTATION_NAME_IID, names.iid(s.INTERNED_ANNOTATION_NAMES, name))
    match value:
        case bool():
            return body + number(s.ANNOTATION_BOOL, value)
        case int() if value < 0:
            return body + number(s.ANNOTATION_INT, value)
        case int():
            return body + number(s.ANNOTATION_UINT, value)
        case float():
            bits = int.from_bytes(struct.pack("<d", value), "little")
            return body + fixed64(s.ANNOTATION_DOUBLE, bits)
        case str() if inline:
            return body + text(s.ANNOTATION_STRING, value)
        case str():
            iid = names.iid(s.INTERNED_ANNOTATION_STRINGS, value)
            return body + number(s.ANNOTATION_STRING_IID, iid)
