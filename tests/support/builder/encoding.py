"""Events of a hand-made trace to packets, as the recorder would write them."""

import struct
from dataclasses import dataclass, field

from tests.support.builder.wire import fixed64, message, number, text
from tracer import schema as s
from viewer.trace.wire import fields, varint

BOOT_NS = 1_700_000_000_000_000_000  # the time of day at which the machine was started

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
    value: float | None = None  # of a counter
    inline: bool = False  # names written out instead of interned


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


def encode_chunk(
    descriptors: dict[int, bytes], sequence_id: int, events: list[Event], describe_all: bool
) -> list[bytes]:
    """The packets of one chunk, framed. Descriptors, by uuid, go on the sequence before."""
    names = _Names()
    now = events[0].time_ns
    sequence = number(s.PACKET_SEQUENCE_ID, sequence_id + 1)
    default = events[0].track
    packets = [_frame(chunk_head(now, default) + sequence)]
    used = set(descriptors) if describe_all else set()
    for track in {event.track for event in events}:
        used.update(_ancestry(descriptors, track))
    for track in sorted(used):
        owner = number(s.PACKET_SEQUENCE_ID, sequence_id)
        body = message(s.PACKET_TRACK_DESCRIPTOR, descriptors[track])
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


def _ancestry(descriptors: dict[int, bytes], uuid: int) -> list[int]:
    """The tracks above and the track itself, outermost first."""
    found = [uuid]
    while parent := _parent(descriptors[found[0]]):
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
        (s.CLOCK_REALTIME, now + BOOT_NS, b""),
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
    if isinstance(event.value, float):
        bits = int.from_bytes(struct.pack("<d", event.value), "little")
        body += fixed64(s.EVENT_DOUBLE_COUNTER_VALUE, bits)
    elif event.value is not None:
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
