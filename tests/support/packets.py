"""Traces as NOTES.md describes them, written packet by packet through Perfetto's schema.

Independent of `builder/` on purpose: this one asks whether trace_processor agrees with
the format, that one whether our reader does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import (
    Trace,
    TracePacket,
    TrackDescriptor,
)

from tracer import schema

START_NS = 1_000_000_000_000
PID = 4242
REALTIME_OFFSET_NS = 1_700_000_000_000_000_000
BOOTTIME_OFFSET_NS = 5_000_000_000


class Packets:
    """One process's two sequences; methods append packets in call order.

    Event times are ns after START_NS. An event older than the previous one of the sequence is
    written with an absolute timestamp, as the recorder does.
    """

    def __init__(self, base: int = 0x123456789, sequence: int = 0x54321) -> None:
        self.trace = Trace()
        self.base = base  # track uuids are counted from here
        self.event_sequence = sequence
        self.descriptor_sequence = sequence + 1
        self.clock = 0
        self.interned: dict[tuple[str, str], int] = {}

    def packet(self, sequence: int | None = None) -> TracePacket:
        packet = self.trace.packet.add()
        packet.trusted_packet_sequence_id = sequence or self.event_sequence
        return packet

    def track(self, number: int, name: str = "", parent: int | None = None) -> TrackDescriptor:
        """Adds a descriptor and returns it, to be completed by the caller."""
        descriptor = self.packet(self.descriptor_sequence).track_descriptor
        descriptor.uuid = self.base + number
        if name:
            descriptor.name = name
        if parent is not None:
            descriptor.parent_uuid = self.base + parent
        return descriptor

    def process(self, number: int = 0, pid: int = PID, name: str = "demo") -> int:
        process = self.track(number).process
        process.pid, process.process_name = pid, name
        return number

    def thread(self, number: int, tid: int, name: str, pid: int = PID) -> int:
        thread = self.track(number).thread
        thread.pid, thread.tid, thread.thread_name = pid, tid, name
        return number

    def chunk(self, at: int, default_track: int | None = None) -> None:
        """Starts a chunk: state cleared, clocks, defaults; names must be sent again."""
        packet = self.packet()
        packet.sequence_flags = schema.FLAG_STATE_CLEARED
        now = START_NS + at
        clocks = [
            (schema.CLOCK_MONOTONIC, now),
            (schema.CLOCK_REALTIME, now + REALTIME_OFFSET_NS),
            (schema.CLOCK_BOOTTIME, now + BOOTTIME_OFFSET_NS),
        ]
        for clock_id, timestamp in clocks:
            packet.clock_snapshot.clocks.add(clock_id=clock_id, timestamp=timestamp)
        packet.clock_snapshot.clocks.add(
            clock_id=schema.CLOCK_DELTA, timestamp=now, is_incremental=True
        )
        packet.clock_snapshot.primary_trace_clock = schema.CLOCK_MONOTONIC
        defaults = packet.trace_packet_defaults
        defaults.timestamp_clock_id = schema.CLOCK_DELTA
        if default_track is not None:
            defaults.track_event_defaults.track_uuid = self.base + default_track
        self.clock = at
        self.interned.clear()

    def event(
        self,
        at: int,
        kind: int,
        track: int | None,
        name: str = "",
        category: str = "",
        args: dict[str, int | str | bool] | None = None,
        flows: tuple[int, ...] = (),
        ends: tuple[int, ...] = (),
    ) -> TracePacket:
        packet = self.packet()
        if at >= self.clock:
            packet.timestamp = at - self.clock
            self.clock = at
        else:
            packet.timestamp = START_NS + at
            packet.timestamp_clock_id = schema.CLOCK_MONOTONIC
        event = packet.track_event
        event.type = kind
        if track is not None:
            event.track_uuid = self.base + track
        if name:
            event.name_iid = self.intern(packet, "event_names", name)
        if category:
            event.category_iids.append(self.intern(packet, "event_categories", category))
        for key, value in (args or {}).items():
            self.annotate(packet, key, value)
        event.flow_ids.extend(flows)
        event.terminating_flow_ids.extend(ends)
        return packet

    def begin(self, at: int, track: int | None, name: str, **rest: Any) -> TracePacket:
        return self.event(at, schema.TYPE_SLICE_BEGIN, track, name, **rest)

    def end(self, at: int, track: int | None) -> TracePacket:
        return self.event(at, schema.TYPE_SLICE_END, track)

    def instant(self, at: int, track: int | None, name: str, **rest: Any) -> TracePacket:
        return self.event(at, schema.TYPE_INSTANT, track, name, **rest)

    def count(self, at: int, track: int, value: int) -> None:
        self.event(at, schema.TYPE_COUNTER, track).track_event.counter_value = value

    def state(self, at: int, track: int, name: str, **rest: Any) -> TracePacket:
        """Ends the track's open slice and begins the next one at the same instant."""
        self.end(at, track)
        return self.begin(at, track, name, **rest)

    def annotate(self, packet: TracePacket, key: str, value: int | str | bool) -> None:
        annotation = packet.track_event.debug_annotations.add()
        annotation.name_iid = self.intern(packet, "debug_annotation_names", key)
        if isinstance(value, bool):
            annotation.bool_value = value
        elif isinstance(value, int):
            annotation.uint_value = value
        else:
            iid = self.intern(packet, "debug_annotation_string_values", value)
            annotation.string_value_iid = iid

    def intern(self, packet: TracePacket, table: str, text: str) -> int:
        known = self.interned.get((table, text))
        if known is not None:
            return known
        iid = self.interned[table, text] = len(self.interned) + 1
        entry = getattr(packet.interned_data, table).add(iid=iid)
        if table == "debug_annotation_string_values":
            entry.str = text.encode()
        else:
            entry.name = text
        return iid

    def data(self) -> bytes:
        data: bytes = self.trace.SerializeToString()
        return data

    def write(self, path: Path) -> Path:
        path.write_bytes(self.data())
        return path


def loop_skeleton(packets: Packets) -> dict[str, int]:
    """Process, thread, loop and task tracks as NOTES.md draws them; track numbers by role."""
    process = packets.process(0)
    packets.track(1, schema.TRACK_TRACER, parent=process)
    packets.track(2, schema.TRACK_GC, parent=process)
    thread = packets.thread(3, tid=PID, name="MainThread")
    loop = packets.track(4, schema.TRACK_LOOP_PREFIX + "MainThread", parent=process)
    loop.child_ordering = schema.ORDER_EXPLICIT
    packets.track(5, schema.TRACK_RUNNING_TASK, parent=4).sibling_order_rank = 0
    queue = packets.track(6, schema.TRACK_READY_QUEUE, parent=4)
    queue.sibling_order_rank = 1
    queue.counter.SetInParent()
    tasks = packets.track(7, schema.TRACK_TASKS, parent=4)
    tasks.sibling_order_rank = 2
    tasks.child_ordering = schema.ORDER_EXPLICIT
    for number, name in ((8, "Task-1 main()"), (9, "Task-2 worker()")):
        own = packets.track(number, name, parent=7)
        own.sibling_order_rank = number
        own.sibling_merge_behavior = schema.MERGE_NONE
    for number in (10, 11):
        lane = packets.track(number, "handler()", parent=7)
        lane.sibling_order_rank = 20
    return {
        "process": process,
        "tracer": 1,
        "gc": 2,
        "thread": thread,
        "loop": 4,
        "running": 5,
        "queue": 6,
        "tasks": 7,
        "task1": 8,
        "task2": 9,
        "lane1": 10,
        "lane2": 11,
    }
