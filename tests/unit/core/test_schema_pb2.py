"""The contract's field numbers are Perfetto's; what the builder writes, Perfetto reads."""

import pytest
from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as pb2

from tests.support.stories.waits import every_trace
from tracer import schema

_FIELDS = [
    ("TRACE_PACKET", pb2.Trace, "packet"),
    ("PACKET_CLOCK_SNAPSHOT", pb2.TracePacket, "clock_snapshot"),
    ("PACKET_TIMESTAMP", pb2.TracePacket, "timestamp"),
    ("PACKET_SEQUENCE_ID", pb2.TracePacket, "trusted_packet_sequence_id"),
    ("PACKET_TRACK_EVENT", pb2.TracePacket, "track_event"),
    ("PACKET_INTERNED_DATA", pb2.TracePacket, "interned_data"),
    ("PACKET_SEQUENCE_FLAGS", pb2.TracePacket, "sequence_flags"),
    ("PACKET_CLOCK_ID", pb2.TracePacket, "timestamp_clock_id"),
    ("PACKET_DEFAULTS", pb2.TracePacket, "trace_packet_defaults"),
    ("PACKET_TRACK_DESCRIPTOR", pb2.TracePacket, "track_descriptor"),
    ("DEFAULTS_TRACK_EVENT", pb2.TracePacketDefaults, "track_event_defaults"),
    ("DEFAULTS_CLOCK_ID", pb2.TracePacketDefaults, "timestamp_clock_id"),
    ("EVENT_DEFAULTS_TRACK_UUID", pb2.TrackEventDefaults, "track_uuid"),
    ("SNAPSHOT_CLOCKS", pb2.ClockSnapshot, "clocks"),
    ("SNAPSHOT_PRIMARY", pb2.ClockSnapshot, "primary_trace_clock"),
    ("CLOCK_ID", pb2.ClockSnapshot.Clock, "clock_id"),
    ("CLOCK_TIMESTAMP", pb2.ClockSnapshot.Clock, "timestamp"),
    ("CLOCK_IS_INCREMENTAL", pb2.ClockSnapshot.Clock, "is_incremental"),
    ("INTERNED_CATEGORIES", pb2.InternedData, "event_categories"),
    ("INTERNED_EVENT_NAMES", pb2.InternedData, "event_names"),
    ("INTERNED_ANNOTATION_NAMES", pb2.InternedData, "debug_annotation_names"),
    ("INTERNED_ANNOTATION_STRINGS", pb2.InternedData, "debug_annotation_string_values"),
    ("INTERNED_IID", pb2.EventName, "iid"),
    ("INTERNED_NAME", pb2.EventName, "name"),
    ("INTERNED_NAME", pb2.InternedString, "str"),
    ("EVENT_CATEGORY_IIDS", pb2.TrackEvent, "category_iids"),
    ("EVENT_ANNOTATIONS", pb2.TrackEvent, "debug_annotations"),
    ("EVENT_TYPE", pb2.TrackEvent, "type"),
    ("EVENT_NAME_IID", pb2.TrackEvent, "name_iid"),
    ("EVENT_TRACK_UUID", pb2.TrackEvent, "track_uuid"),
    ("EVENT_CATEGORIES", pb2.TrackEvent, "categories"),
    ("EVENT_NAME", pb2.TrackEvent, "name"),
    ("EVENT_COUNTER_VALUE", pb2.TrackEvent, "counter_value"),
    ("EVENT_DOUBLE_COUNTER_VALUE", pb2.TrackEvent, "double_counter_value"),
    ("EVENT_FLOW_IDS", pb2.TrackEvent, "flow_ids"),
    ("EVENT_TERMINATING_FLOW_IDS", pb2.TrackEvent, "terminating_flow_ids"),
    ("ANNOTATION_NAME_IID", pb2.DebugAnnotation, "name_iid"),
    ("ANNOTATION_BOOL", pb2.DebugAnnotation, "bool_value"),
    ("ANNOTATION_UINT", pb2.DebugAnnotation, "uint_value"),
    ("ANNOTATION_INT", pb2.DebugAnnotation, "int_value"),
    ("ANNOTATION_DOUBLE", pb2.DebugAnnotation, "double_value"),
    ("ANNOTATION_STRING", pb2.DebugAnnotation, "string_value"),
    ("ANNOTATION_NAME", pb2.DebugAnnotation, "name"),
    ("ANNOTATION_STRING_IID", pb2.DebugAnnotation, "string_value_iid"),
    ("TRACK_UUID", pb2.TrackDescriptor, "uuid"),
    ("TRACK_NAME", pb2.TrackDescriptor, "name"),
    ("TRACK_PROCESS", pb2.TrackDescriptor, "process"),
    ("TRACK_THREAD", pb2.TrackDescriptor, "thread"),
    ("TRACK_PARENT_UUID", pb2.TrackDescriptor, "parent_uuid"),
    ("TRACK_COUNTER", pb2.TrackDescriptor, "counter"),
    ("TRACK_CHILD_ORDERING", pb2.TrackDescriptor, "child_ordering"),
    ("TRACK_SIBLING_RANK", pb2.TrackDescriptor, "sibling_order_rank"),
    ("TRACK_SIBLING_MERGE", pb2.TrackDescriptor, "sibling_merge_behavior"),
    ("PROCESS_PID", pb2.ProcessDescriptor, "pid"),
    ("PROCESS_CMDLINE", pb2.ProcessDescriptor, "cmdline"),
    ("PROCESS_NAME", pb2.ProcessDescriptor, "process_name"),
    ("THREAD_PID", pb2.ThreadDescriptor, "pid"),
    ("THREAD_TID", pb2.ThreadDescriptor, "tid"),
    ("THREAD_NAME", pb2.ThreadDescriptor, "thread_name"),
    ("PACKET_PERF_SAMPLE", pb2.TracePacket, "perf_sample"),
    ("DEFAULTS_PERF_SAMPLE", pb2.TracePacketDefaults, "perf_sample_defaults"),
    ("PERF_DEFAULTS_TIMEBASE", pb2.PerfSampleDefaults, "timebase"),
    ("TIMEBASE_FREQUENCY", pb2.PerfEvents.Timebase, "frequency"),
    ("TIMEBASE_COUNTER", pb2.PerfEvents.Timebase, "counter"),
    ("TIMEBASE_NAME", pb2.PerfEvents.Timebase, "name"),
    ("PERF_PID", pb2.PerfSample, "pid"),
    ("PERF_TID", pb2.PerfSample, "tid"),
    ("PERF_CALLSTACK", pb2.PerfSample, "callstack_iid"),
    ("PERF_CPU_MODE", pb2.PerfSample, "cpu_mode"),
    ("INTERNED_FUNCTION_NAMES", pb2.InternedData, "function_names"),
    ("INTERNED_FRAMES", pb2.InternedData, "frames"),
    ("INTERNED_CALLSTACKS", pb2.InternedData, "callstacks"),
    ("INTERNED_MAPPING_PATHS", pb2.InternedData, "mapping_paths"),
    ("INTERNED_SOURCE_PATHS", pb2.InternedData, "source_paths"),
    ("INTERNED_MAPPINGS", pb2.InternedData, "mappings"),
    ("MAPPING_PATH_IDS", pb2.Mapping, "path_string_ids"),
    ("FRAME_FUNCTION_ID", pb2.Frame, "function_name_id"),
    ("FRAME_MAPPING_ID", pb2.Frame, "mapping_id"),
    ("FRAME_REL_PC", pb2.Frame, "rel_pc"),
    ("FRAME_SOURCE_PATH", pb2.Frame, "source_path_iid"),
    ("FRAME_LINE", pb2.Frame, "line_number"),
    ("CALLSTACK_FRAME_IDS", pb2.Callstack, "frame_ids"),
]
_VALUES = [
    ("TYPE_SLICE_BEGIN", pb2.TrackEvent.TYPE_SLICE_BEGIN),
    ("TYPE_SLICE_END", pb2.TrackEvent.TYPE_SLICE_END),
    ("TYPE_INSTANT", pb2.TrackEvent.TYPE_INSTANT),
    ("TYPE_COUNTER", pb2.TrackEvent.TYPE_COUNTER),
    ("FLAG_STATE_CLEARED", pb2.TracePacket.SEQ_INCREMENTAL_STATE_CLEARED),
    ("CLOCK_REALTIME", pb2.BUILTIN_CLOCK_REALTIME),
    ("CLOCK_MONOTONIC", pb2.BUILTIN_CLOCK_MONOTONIC),
    ("CLOCK_BOOTTIME", pb2.BUILTIN_CLOCK_BOOTTIME),
    ("ORDER_LEXICOGRAPHIC", pb2.TrackDescriptor.LEXICOGRAPHIC),
    ("ORDER_CHRONOLOGICAL", pb2.TrackDescriptor.CHRONOLOGICAL),
    ("ORDER_EXPLICIT", pb2.TrackDescriptor.EXPLICIT),
    ("COUNTER_CPU_CLOCK", pb2.PerfEvents.SW_CPU_CLOCK),
    ("CPU_MODE_USER", pb2.Profiling.MODE_USER),
    ("MERGE_NONE", pb2.TrackDescriptor.SIBLING_MERGE_BEHAVIOR_NONE),
]


@pytest.mark.parametrize(("constant", "message", "name"), _FIELDS)
def test_field_numbers(constant, message, name):
    """A field number in the schema is the one Perfetto gives that field."""
    assert getattr(schema, constant) == message.DESCRIPTOR.fields_by_name[name].number


@pytest.mark.parametrize(("constant", "value"), _VALUES)
def test_enum_values(constant, value):
    """An enum value in the schema is Perfetto's."""
    assert getattr(schema, constant) == value


def test_every_field_number_is_checked():
    """No numeric constant named like a field is missing from the table above."""
    messages = ["PACKET_", "DEFAULTS_", "EVENT_", "SNAPSHOT_", "INTERNED_", "ANNOTATION_"]
    messages += ["PERF_", "TIMEBASE_", "MAPPING_", "FRAME_", "CALLSTACK_"]
    prefixes = (*messages, "TRACK_", "PROCESS_", "THREAD_")
    named = {
        name
        for name in vars(schema)
        if name.startswith(prefixes) and isinstance(getattr(schema, name), int)
    }
    assert named <= {constant for constant, _, _ in _FIELDS}


@pytest.mark.parametrize(("name", "data"), every_trace())
def test_builder_writes_perfetto(name, data):
    """pb2 parses what the builder writes, writes the same back, and knows every field."""
    trace = pb2.Trace.FromString(data)
    assert len(trace.packet) > 1
    again = pb2.Trace.FromString(trace.SerializeToString())
    assert again == trace
    for packet in trace.packet:
        assert not packet.HasField("track_event") or packet.track_event.type in (1, 2, 3, 4)
        copy = pb2.TracePacket()
        copy.CopyFrom(packet)
        copy.DiscardUnknownFields()
        assert copy.ByteSize() == packet.ByteSize(), f"unknown fields in {packet}"
