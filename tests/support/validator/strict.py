"""The validator's own decoder: everything a trace may not contain is an AssertionError."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.support.validator.samples import Sample, SampleReader
from tracer import schema as s
from viewer.trace.wire import Malformed, fields, fixed64, message, read_varint, varint

type Arg = int | str
type Message = list[tuple[int, int, int]]  # (tag, number or start, behind)

_TABLES = {
    message(s.INTERNED_CATEGORIES): "category",
    message(s.INTERNED_EVENT_NAMES): "name",
    message(s.INTERNED_ANNOTATION_NAMES): "annotation",
    message(s.INTERNED_ANNOTATION_STRINGS): "string",
}
# What would break a line or a terminal; a stack has lines.
_UNSHOWN = re.compile("[\0-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]|:-\\d+ ")


@dataclass(slots=True)
class Event:
    time_ns: int
    type: int
    track: int
    process: "Process" = field(repr=False)
    name: str = ""
    category: str = ""
    args: dict[str, Arg] = field(default_factory=dict)
    flows: list[int] = field(default_factory=list)
    ends_flows: list[int] = field(default_factory=list)
    counter: int | None = None
    double: float | None = None  # of a counter whose value is none


@dataclass(slots=True)
class Process:
    pid: int
    events: list[Event] = field(default_factory=list)  # in file order


@dataclass(frozen=True, slots=True)
class Track:
    """A described track; `pid` and `tid` are 0 where the descriptor has none."""

    parent: int
    name: str
    pid: int
    tid: int
    thread_name: str


@dataclass(slots=True)
class Strict:
    packets: int = 0
    chunks: int = 0
    torn_bytes: int = 0  # of a half-written last packet
    events: list[Event] = field(default_factory=list)  # in file order
    processes: list[Process] = field(default_factory=list)
    tracks: dict[int, Track] = field(default_factory=dict)  # by uuid, the newest descriptor
    samples: list[Sample] = field(default_factory=list)


@dataclass(slots=True)
class _Chunk:
    """State of an event sequence since its last chunk head."""

    now_ns: int
    default_track: int
    process: Process
    names: dict[tuple[str, int], str] = field(default_factory=dict)
    used: dict[int, Event] = field(default_factory=dict)  # track -> an event that needs it


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.out = Strict()
        self.sampled = SampleReader(data, self.parse)
        self.out.samples = self.sampled.samples
        self.chunks: dict[int, _Chunk] = {}
        self.described: set[int] = set()  # since the last chunk head

    def parse(self, start: int, end: int) -> Message:
        try:
            return list(fields(self.data, start, end))
        except Malformed:
            raise AssertionError(f"bytes {start} to {end} are not a message") from None

    def one(self, parsed: Message, tag: int) -> int | None:
        found = None
        for each, number, _ in parsed:
            if each == tag:
                assert found is None, f"field {tag >> 3} comes more than once"
                found = number
        return found

    def text(self, start: int, end: int) -> str:
        text = self.data[start:end].decode()
        assert not _UNSHOWN.search(text), f"text that nobody can show: {text!r}"
        return text

    def run(self) -> Strict:
        for start, end in self.frames():
            packet = self.parse(start, end)
            sequence = self.one(packet, varint(s.PACKET_SEQUENCE_ID))
            assert sequence, f"packet {self.out.packets} has no sequence id"
            if self.sampled.owns(sequence, packet):
                self.out.packets += 1
                continue
            flags = self.one(packet, varint(s.PACKET_SEQUENCE_FLAGS)) or 0
            if flags & s.FLAG_STATE_CLEARED:
                self.begin_chunk(sequence, packet)
            assert self.chunks, "the first packet is not a chunk head"
            self.read(sequence, packet)
            self.out.packets += 1
        assert self.out.packets, "no packets"
        self.check_described()
        self.name_processes()
        return self.out

    def frames(self) -> Iterator[tuple[int, int]]:
        """The packets; a half-written last one is left out and noted."""
        at, size = 0, len(self.data)
        while at < size:
            assert self.data[at] == message(s.TRACE_PACKET), (
                f"not a packet at byte {at}: {self.data[at]:#x}"
            )
            try:
                length, start = read_varint(self.data, at + 1, size)
            except Malformed:
                length, start = size, at
            if length > size - start:
                self.out.torn_bytes = size - at
                return
            yield start, start + length
            at = start + length

    def begin_chunk(self, sequence: int, packet: Message) -> None:
        self.check_described()
        clocks: dict[int, int] = {}
        clock_id = track = None
        for tag, start, end in packet:
            if tag == message(s.PACKET_CLOCK_SNAPSHOT):
                for part, a, b in self.parse(start, end):
                    if part == message(s.SNAPSHOT_CLOCKS):
                        clock = self.parse(a, b)
                        id_ = self.one(clock, varint(s.CLOCK_ID))
                        assert id_ is not None, "a clock without id"
                        clocks[id_] = self.one(clock, varint(s.CLOCK_TIMESTAMP)) or 0
            elif tag == message(s.PACKET_DEFAULTS):
                defaults = self.parse(start, end)
                clock_id = self.one(defaults, varint(s.DEFAULTS_CLOCK_ID))
                for part, a, b in defaults:
                    if part == message(s.DEFAULTS_TRACK_EVENT):
                        inner = self.parse(a, b)
                        track = self.one(inner, varint(s.EVENT_DEFAULTS_TRACK_UUID))
        wanted = {s.CLOCK_REALTIME, s.CLOCK_MONOTONIC, s.CLOCK_BOOTTIME, s.CLOCK_DELTA}
        assert wanted <= clocks.keys(), f"a chunk head with the clocks {sorted(clocks)} only"
        assert clock_id == s.CLOCK_DELTA, f"a chunk head with default clock {clock_id}"
        assert track is not None, "a chunk head without default track"
        old = self.chunks.get(sequence)
        process = old.process if old else Process(0)
        if old is None:
            self.out.processes.append(process)
        self.chunks[sequence] = _Chunk(clocks[s.CLOCK_MONOTONIC], track, process)
        self.described.clear()
        self.out.chunks += 1

    def check_described(self) -> None:
        """Every track an event used since the chunk's head is described in the chunk."""
        for chunk in self.chunks.values():
            for track, event in chunk.used.items():
                assert track in self.described, f"track {track} not described: {event}"
            chunk.used.clear()

    def read(self, sequence: int, packet: Message) -> None:
        chunk = self.chunks.get(sequence)
        time = self.one(packet, varint(s.PACKET_TIMESTAMP))
        clock = self.one(packet, varint(s.PACKET_CLOCK_ID))
        if chunk and clock in (None, s.CLOCK_DELTA):
            chunk.now_ns += time or 0
            time = chunk.now_ns
        else:
            assert clock in (None, s.CLOCK_MONOTONIC), f"a timestamp of clock {clock}"
        for tag, start, end in packet:
            if tag == message(s.PACKET_INTERNED_DATA):
                assert chunk, "names outside a chunk"
                self.read_names(chunk, start, end)
        for tag, start, end in packet:
            if tag == message(s.PACKET_TRACK_DESCRIPTOR):
                self.read_descriptor(start, end)
            elif tag == message(s.PACKET_TRACK_EVENT):
                assert chunk, f"an event on sequence {sequence}, which has no chunk head"
                assert time is not None, f"an event without time at byte {start}"
                self.read_event(chunk, time, start, end)

    def read_names(self, chunk: _Chunk, start: int, end: int) -> None:
        for tag, a, b in self.parse(start, end):
            assert tag in _TABLES, f"interned data of unknown kind {tag >> 3}"
            entry = self.parse(a, b)
            iid = self.one(entry, varint(s.INTERNED_IID))
            assert iid, f"an interned name without iid at byte {a}"
            text = [self.text(x, y) for t, x, y in entry if t == message(s.INTERNED_NAME)]
            assert len(text) == 1, f"{len(text)} names for iid {iid}"
            known = chunk.names.setdefault((_TABLES[tag], iid), text[0])
            assert known == text[0], f"iid {iid} is {known!r} and {text[0]!r} in one chunk"

    def read_descriptor(self, start: int, end: int) -> None:
        body = self.parse(start, end)
        uuid = self.one(body, varint(s.TRACK_UUID))
        assert uuid, f"a descriptor without uuid at byte {start}"
        pid = tid = 0
        name = thread_name = ""
        for tag, a, b in body:
            if tag == message(s.TRACK_NAME):
                name = self.text(a, b)
            if tag in (message(s.TRACK_PROCESS), message(s.TRACK_THREAD)):
                inner = self.parse(a, b)
                pid = self.one(inner, varint(s.PROCESS_PID)) or 0
                assert pid, f"a process or thread without pid: track {uuid}"
                if tag == message(s.TRACK_THREAD):
                    tid = self.one(inner, varint(s.THREAD_TID)) or 0
                    assert tid, f"a thread without tid: track {uuid}"
                    names = [(x, y) for t, x, y in inner if t == message(s.THREAD_NAME)]
                    thread_name = self.text(*names[-1]) if names else ""
        self.described.add(uuid)
        parent = self.one(body, varint(s.TRACK_PARENT_UUID)) or 0
        self.out.tracks[uuid] = Track(parent, name, pid, tid, thread_name)

    def name_of(self, chunk: _Chunk, table: str, iid: int) -> str:
        assert (table, iid) in chunk.names, f"{table} iid {iid} not interned in its chunk"
        return chunk.names[table, iid]

    def read_event(self, chunk: _Chunk, time: int, start: int, end: int) -> None:
        body = self.parse(start, end)
        type_ = self.one(body, varint(s.EVENT_TYPE))
        assert type_ in (1, 2, 3, 4), f"an event of type {type_} at byte {start}"
        track = self.one(body, varint(s.EVENT_TRACK_UUID)) or chunk.default_track
        event = Event(time, type_, track, chunk.process)
        for tag, value, behind in body:
            if tag == message(s.EVENT_ANNOTATIONS):
                name, arg = self.read_arg(chunk, value, behind)
                assert name not in event.args, f"argument {name!r} twice: {event}"
                event.args[name] = arg
            elif tag == varint(s.EVENT_NAME_IID):
                event.name = self.name_of(chunk, "name", value)
            elif tag == varint(s.EVENT_CATEGORY_IIDS):
                event.category = self.name_of(chunk, "category", value)
            elif tag == message(s.EVENT_NAME):
                event.name = self.text(value, behind)
                assert "\n" not in event.name, f"lines in a name: {event}"
            elif tag == message(s.EVENT_CATEGORIES):
                event.category = self.text(value, behind)
            elif tag == varint(s.EVENT_COUNTER_VALUE):
                event.counter = value
            elif tag == fixed64(s.EVENT_DOUBLE_COUNTER_VALUE):
                (event.double,) = struct.unpack("<d", value.to_bytes(8, "little"))
            elif tag == fixed64(s.EVENT_FLOW_IDS):
                event.flows.append(value)
            elif tag == fixed64(s.EVENT_TERMINATING_FLOW_IDS):
                event.ends_flows.append(value)
        chunk.used.setdefault(track, event)
        chunk.process.events.append(event)
        self.out.events.append(event)

    def read_arg(self, chunk: _Chunk, start: int, end: int) -> tuple[str, Arg]:
        name: str | None = None
        found: list[Arg] = []
        for tag, value, behind in self.parse(start, end):
            if tag == varint(s.ANNOTATION_NAME_IID):
                name = self.name_of(chunk, "annotation", value)
            elif tag == message(s.ANNOTATION_NAME):
                name = self.text(value, behind)
            elif tag == varint(s.ANNOTATION_STRING_IID):
                found.append(self.name_of(chunk, "string", value))
            elif tag == message(s.ANNOTATION_STRING):
                found.append(self.text(value, behind))
            else:
                found.append(value)
        assert name, f"an argument without name at byte {start}"
        assert len(found) == 1, f"argument {name!r} has {len(found)} values"
        assert name == s.ARG_STACK or "\n" not in str(found[0]), f"lines in {name}: {found}"
        return name, found[0]

    def name_processes(self) -> None:
        """Gives each process the pid of the tracks its events are on."""
        for process in self.out.processes:
            assert process.events, "a process without events"
            uuid, seen = process.events[0].track, set[int]()
            while uuid and uuid not in seen and not process.pid:
                seen.add(uuid)
                track = self.out.tracks.get(uuid)
                uuid, process.pid = (track.parent, track.pid) if track else (0, 0)
            assert process.pid, f"no process above track {process.events[0].track}"


def read_strict(data: bytes) -> Strict:
    """The trace's events. Raises AssertionError at the first thing that is not right."""
    return _Reader(data).run()
