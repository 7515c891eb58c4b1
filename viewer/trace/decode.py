"""Trace bytes to event columns: the Python twin of native/decoder.c, step for step."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from tracer import schema as s
from viewer.trace.columns import BOOL, DOUBLE, INT, STRING, TIME_LIMIT_NS, UINT, Events, views
from viewer.trace.shown import is_plain
from viewer.trace.strings import Strings
from viewer.trace.wire import Data, Malformed, fields, fixed64, message, read_varint, varint

_PACKET = {
    varint(s.PACKET_TIMESTAMP): "timestamp",
    varint(s.PACKET_SEQUENCE_ID): "sequence_id",
    varint(s.PACKET_SEQUENCE_FLAGS): "flags",
    varint(s.PACKET_CLOCK_ID): "clock_id",
}
_PARTS = {
    message(s.PACKET_CLOCK_SNAPSHOT),
    message(s.PACKET_DEFAULTS),
    message(s.PACKET_INTERNED_DATA),
    message(s.PACKET_TRACK_EVENT),
    message(s.PACKET_TRACK_DESCRIPTOR),
    message(s.PACKET_PERF_SAMPLE),
}
_NAMES = {
    message(s.INTERNED_CATEGORIES): "category",
    message(s.INTERNED_EVENT_NAMES): "event",
    message(s.INTERNED_ANNOTATION_NAMES): "annotation",
    message(s.INTERNED_ANNOTATION_STRINGS): "string",
    message(s.INTERNED_FUNCTION_NAMES): "function",
    message(s.INTERNED_SOURCE_PATHS): "path",
}
_COUNTERS = {  # whether the value is a double
    varint(s.EVENT_COUNTER_VALUE): False,
    fixed64(s.EVENT_DOUBLE_COUNTER_VALUE): True,
}
_NUMBERS = {
    varint(s.ANNOTATION_BOOL): BOOL,
    varint(s.ANNOTATION_UINT): UINT,
    varint(s.ANNOTATION_INT): INT,
    fixed64(s.ANNOTATION_DOUBLE): DOUBLE,
}

type Span = tuple[int, int]
type Args = list[tuple[int, int, int]]  # (name, kind, value)


def decode(data: Data) -> Events:
    """The events of a trace that are readable, and how much was not."""
    return _Decoder(data).run()


def framed(data: Data) -> int:
    """The data consist of packets up to here."""
    return max((end for _, end in _packets(data)), default=0)


def _packets(data: Data) -> Iterator[tuple[int, int]]:
    """(begin, end) of what is inside each packet, until the framing ends or breaks."""
    at, size = 0, len(data)
    while at < size and data[at] == message(s.TRACE_PACKET):
        try:
            length, start = read_varint(data, at + 1, size)
        except Malformed:
            return
        if length > size - start:
            return
        at = start + length
        yield start, at


@dataclass(slots=True)
class _Sequence:
    now_ns: int = -1  # the delta clock; -1: not known
    ready: bool = False  # a chunk head was seen and nothing was lost since
    has_snapshot: bool = False
    track_uuid: int = 0
    clock_id: int = 0
    hz: int = 0  # of CPU samples
    names: dict[tuple[int, str], int] = field(default_factory=dict)  # string, frame or stack


_INT31 = 0x7FFF_FFFF
_CLOCKS = s.CLOCK_MONOTONIC, s.CLOCK_REALTIME, s.CLOCK_BOOTTIME


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


class _Decoder:
    def __init__(self, data: Data) -> None:
        self.data = data
        self.sequences: dict[int, _Sequence] = {}
        self.tracks: dict[int, int] = {}
        self.strings: dict[bytes, int] = {}
        self.descriptors: dict[bytes, tuple[int, int]] = {}  # where, the last packet
        self.clocks = array("q"), array("q"), array("q")
        self.packets = self.skipped = 0
        self.time, self.type = array("q"), array("B")
        self.track, self.name, self.category = array("i"), array("i"), array("i")
        self.arg_start, self.arg_name = array("i"), array("i")
        self.arg_kind, self.arg_value = array("B"), array("q")
        self.counter_event, self.counter_value = array("i"), array("q")
        self.counter_is_double = array("B")
        self.flow_event, self.flow_id, self.flow_end = array("i"), array("Q"), array("B")
        self.sample_time, self.sample_pid, self.sample_tid = array("q"), array("i"), array("i")
        self.sample_hz, self.sample_stack = array("i"), array("i")
        self.stack_start, self.stack_frame = array("i"), array("i")
        self.frame_function, self.frame_path = array("i"), array("i")
        self.frame_line = array("i")

    def run(self) -> Events:
        at = 0
        for start, end in _packets(self.data):
            try:
                used = self.apply(start, end)
            except Malformed:
                used = False
                # Times and names may depend on it: nothing counts before the next chunk heads.
                for sequence in self.sequences.values():
                    sequence.ready = False
            if not used:
                self.skipped += end - at
            self.packets += 1
            at = end
        self.arg_start.append(len(self.arg_name))
        self.stack_start.append(len(self.stack_frame))
        columns = (
            self.time, self.type, self.track, self.name, self.category,
            self.arg_start, self.arg_name, self.arg_kind, self.arg_value,
            self.counter_event, self.counter_value, self.counter_is_double,
            self.flow_event, self.flow_id, self.flow_end, array("Q", self.tracks),
            self.sample_time, self.sample_pid, self.sample_tid, self.sample_hz,
            self.sample_stack, self.stack_start, self.stack_frame,
            self.frame_function, self.frame_path, self.frame_line,
            array("q", (at for at, _ in self.descriptors.values())),
            array("q", map(len, self.descriptors)),
            array("q", (packet for _, packet in self.descriptors.values())),
            *self.clocks,
        )  # fmt: skip
        row = [
            *views(columns),
            Strings(text.decode("utf-8", "replace") for text in self.strings),
            at,
            self.skipped,
            self.packets,
            is_plain(self.strings),
        ]
        return Events(*row)

    def string(self, start: int, end: int) -> int:
        return self.strings.setdefault(self.data[start:end], len(self.strings))

    def apply(self, start: int, end: int) -> bool:
        """Uses one packet; False when its sequence is not readable. Raises Malformed."""
        numbers: dict[str, int] = {}
        parts: dict[int, Span] = {}
        for tag, value, behind in fields(self.data, start, end):
            if tag in _PACKET:
                numbers[_PACKET[tag]] = value
            elif tag in _PARTS:
                parts[tag] = (value, behind)
        sequence_id = numbers.get("sequence_id", 0)
        if sequence_id not in self.sequences:
            self.sequences[sequence_id] = _Sequence()
        sequence = self.sequences[sequence_id]
        if numbers.get("flags", 0) & s.FLAG_STATE_CLEARED:
            sequence.names.clear()
            sequence.now_ns = -1
            sequence.track_uuid = sequence.clock_id = sequence.hz = 0
            sequence.ready = True
        if span := parts.get(message(s.PACKET_CLOCK_SNAPSHOT)):
            self.read_snapshot(sequence, span)
        if span := parts.get(message(s.PACKET_DEFAULTS)):
            self.read_defaults(sequence, span)
        if span := parts.get(message(s.PACKET_INTERNED_DATA)):
            self.read_interned(sequence, span)
        if span := parts.get(message(s.PACKET_TRACK_DESCRIPTOR)):
            start, end = span
            at, _ = self.descriptors.get(self.data[start:end], (start, 0))
            self.descriptors[self.data[start:end]] = (at, self.packets)
        time = self.read_time(sequence, numbers)
        event = parts.get(message(s.PACKET_TRACK_EVENT))
        sample = parts.get(message(s.PACKET_PERF_SAMPLE))
        if event is None and sample is None:
            return True
        if not sequence.ready or time < 0:
            return False
        if event is not None:
            self.read_event(sequence, event, time)
        return sample is None or self.read_sample(sequence, sample, time)

    def read_time(self, sequence: _Sequence, numbers: dict[str, int]) -> int:
        clock = numbers.get("clock_id", sequence.clock_id)
        timestamp = numbers.get("timestamp", 0)
        if clock == s.CLOCK_DELTA and sequence.now_ns >= 0:
            if timestamp > TIME_LIMIT_NS - sequence.now_ns:
                raise Malformed
            sequence.now_ns += timestamp
            return sequence.now_ns
        if clock == s.CLOCK_MONOTONIC and "timestamp" in numbers:
            if timestamp > TIME_LIMIT_NS:
                raise Malformed
            return timestamp
        return -1

    def read_snapshot(self, sequence: _Sequence, span: Span) -> None:
        clocks: dict[int, int] = {}
        for tag, value, behind in fields(self.data, *span):
            if tag == message(s.SNAPSHOT_CLOCKS):
                clock = {varint(s.CLOCK_ID): 0, varint(s.CLOCK_TIMESTAMP): 0}
                for part, number, _ in fields(self.data, value, behind):
                    if part in clock:
                        clock[part] = number
                clocks[clock[varint(s.CLOCK_ID)]] = clock[varint(s.CLOCK_TIMESTAMP)]
        if s.CLOCK_MONOTONIC not in clocks:
            return
        known = [clocks[i] for i in range(s.CLOCK_BOOTTIME + 1) if i in clocks]
        if any(time > TIME_LIMIT_NS for time in known):
            raise Malformed
        sequence.now_ns = clocks[s.CLOCK_MONOTONIC]
        if not sequence.has_snapshot:
            sequence.has_snapshot = True
            for known_by, column in zip(_CLOCKS, self.clocks, strict=True):
                column.append(clocks.get(known_by, 0))

    def read_defaults(self, sequence: _Sequence, span: Span) -> None:
        for tag, value, behind in fields(self.data, *span):
            if tag == varint(s.DEFAULTS_CLOCK_ID):
                sequence.clock_id = value
            elif tag == message(s.DEFAULTS_PERF_SAMPLE):
                self.read_perf_defaults(sequence, value, behind)
            elif tag == message(s.DEFAULTS_TRACK_EVENT):
                for part, number, _ in fields(self.data, value, behind):
                    if part == varint(s.EVENT_DEFAULTS_TRACK_UUID):
                        sequence.track_uuid = number

    def read_interned(self, sequence: _Sequence, span: Span) -> None:
        for tag, value, behind in fields(self.data, *span):
            if tag == message(s.INTERNED_FRAMES):
                self.read_frame(sequence, value, behind)
            elif tag == message(s.INTERNED_CALLSTACKS):
                self.read_stack(sequence, value, behind)
            if tag not in _NAMES:
                continue
            iid, text = 0, (0, 0)
            for part, number, after in fields(self.data, value, behind):
                if part == varint(s.INTERNED_IID):
                    iid = number
                elif part == message(s.INTERNED_NAME):
                    text = (number, after)
            sequence.names[iid, _NAMES[tag]] = self.string(*text)

    def read_annotation(self, sequence: _Sequence, start: int, end: int, args: Args) -> None:
        name, kind, value = -1, 0, 0
        for tag, number, behind in fields(self.data, start, end):
            if tag == varint(s.ANNOTATION_NAME_IID):
                name = sequence.names.get((number, "annotation"), -1)
            elif tag in _NUMBERS:
                kind = _NUMBERS[tag]
                value = int(number != 0) if kind == BOOL else _signed(number)
            elif tag == varint(s.ANNOTATION_STRING_IID):
                value = sequence.names.get((number, "string"), -1)
                kind = 0 if value < 0 else STRING
            elif tag == message(s.ANNOTATION_STRING):
                kind, value = STRING, self.string(number, behind)
            elif tag == message(s.ANNOTATION_NAME):
                name = self.string(number, behind)
        if name >= 0 and kind:
            args.append((name, kind, value))

    def read_event(self, sequence: _Sequence, span: Span, time: int) -> None:
        kind, uuid, name, category, counter = 0, sequence.track_uuid, -1, -1, None
        has_category = is_double = False
        args: Args = []
        flows: list[tuple[int, int]] = []
        for tag, value, behind in fields(self.data, *span):
            if tag == varint(s.EVENT_TYPE):
                kind = value
            elif tag == varint(s.EVENT_NAME_IID):
                name = sequence.names.get((value, "event"), -1)
            elif tag == varint(s.EVENT_TRACK_UUID):
                uuid = value
            elif tag in _COUNTERS:
                counter, is_double = _signed(value), _COUNTERS[tag]
            elif tag == varint(s.EVENT_CATEGORY_IIDS):
                if not has_category:
                    category = sequence.names.get((value, "category"), -1)
                    has_category = True
            elif tag == message(s.EVENT_NAME):
                name = self.string(value, behind)
            elif tag == message(s.EVENT_CATEGORIES):
                text = self.string(value, behind)
                category = category if has_category else text
                has_category = True
            elif tag == message(s.EVENT_ANNOTATIONS):
                self.read_annotation(sequence, value, behind, args)
            elif tag == fixed64(s.EVENT_FLOW_IDS):
                flows.append((value, 0))
            elif tag == fixed64(s.EVENT_TERMINATING_FLOW_IDS):
                flows.append((value, 1))
        if not s.TYPE_SLICE_BEGIN <= kind <= s.TYPE_COUNTER:
            return  # a type of event that this reader does not use
        event = len(self.time)
        self.time.append(time)
        self.type.append(kind)
        self.track.append(self.tracks.setdefault(uuid, len(self.tracks)))
        self.name.append(name)
        self.category.append(category)
        self.arg_start.append(len(self.arg_name))
        for arg_name, arg_kind, arg_value in args:
            self.arg_name.append(arg_name)
            self.arg_kind.append(arg_kind)
            self.arg_value.append(arg_value)
        for flow, is_end in flows:
            self.flow_event.append(event)
            self.flow_id.append(flow)
            self.flow_end.append(is_end)
        if counter is not None:
            self.counter_event.append(event)
            self.counter_value.append(counter)
            self.counter_is_double.append(is_double)

    # --- CPU samples

    def read_perf_defaults(self, sequence: _Sequence, start: int, end: int) -> None:
        for tag, value, behind in fields(self.data, start, end):
            if tag == message(s.PERF_DEFAULTS_TIMEBASE):
                for part, number, _ in fields(self.data, value, behind):
                    if part == varint(s.TIMEBASE_FREQUENCY):
                        sequence.hz = number & _INT31

    def read_frame(self, sequence: _Sequence, start: int, end: int) -> None:
        iid, function, path, line = 0, -1, -1, 0
        for tag, value, _ in fields(self.data, start, end):
            if tag == varint(s.INTERNED_IID):
                iid = value
            elif tag == varint(s.FRAME_FUNCTION_ID):
                function = sequence.names.get((value, "function"), -1)
            elif tag == varint(s.FRAME_SOURCE_PATH):
                path = sequence.names.get((value, "path"), -1)
            elif tag == varint(s.FRAME_LINE):
                line = value & _INT31
        sequence.names[iid, "frame"] = len(self.frame_line)
        self.frame_function.append(function)
        self.frame_path.append(path)
        self.frame_line.append(line)

    def read_stack(self, sequence: _Sequence, start: int, end: int) -> None:
        iid, frames = 0, []
        for tag, value, _ in fields(self.data, start, end):
            if tag == varint(s.INTERNED_IID):
                iid = value
            elif tag == varint(s.CALLSTACK_FRAME_IDS):
                frame = sequence.names.get((value, "frame"), -1)
                if frame >= 0:
                    frames.append(frame)
        sequence.names[iid, "stack"] = len(self.stack_start)
        self.stack_start.append(len(self.stack_frame))
        self.stack_frame.extend(frames)

    def read_sample(self, sequence: _Sequence, span: Span, time: int) -> bool:
        """False when its callstack is not known."""
        pid, tid, stack = 0, 0, -1
        for tag, value, _ in fields(self.data, *span):
            if tag == varint(s.PERF_PID):
                pid = value & _INT31
            elif tag == varint(s.PERF_TID):
                tid = value & _INT31
            elif tag == varint(s.PERF_CALLSTACK):
                stack = sequence.names.get((value, "stack"), -1)
        if stack < 0:
            return False
        self.sample_time.append(time)
        self.sample_pid.append(pid)
        self.sample_tid.append(tid)
        self.sample_hz.append(sequence.hz)
        self.sample_stack.append(stack)
        return True
