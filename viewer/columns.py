"""The columns a trace is held in: one value per event, argument, slice or task.

Columns are memoryviews over 4 or 8 byte integers (formats in the comments); -1 means "none".
"""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

# Kinds of slices; mirrored in _native.h
OTHER, READY, RUNNING, AWAIT, LIFETIME, LOOP_TASK, LOOP_CALLBACK, SELECT, GC = range(9)

# Kinds of argument values
BOOL, UINT, INT, DOUBLE, STRING = range(1, 6)

# Codes of who woke a task: kind << WAKER_SHIFT | value
WAKER_NONE, WAKER_TEXT, WAKER_GROUP, WAKER_THREAD, WAKER_LOST = range(5)
WAKER_SHIFT = 40

TIME_LIMIT_NS = 1 << 62  # later timestamps are garbage
LARGEST = (1 << 63) - 1  # sums stop growing here

type Column = memoryview


def views(columns: Iterable[array[int]]) -> list[Any]:
    """The arrays as columns; Any, because the classes below mix them with plain fields."""
    return [memoryview(column) for column in columns]


@dataclass(frozen=True, slots=True)
class Events:
    """What a file says, in file order. Names and texts are indexes into `strings`."""

    time_ns: Column  # q
    type: Column  # B: schema.TYPE_*
    track: Column  # i: index into uuids
    name: Column  # i
    category: Column  # i
    arg_start: Column  # i: event i has the arguments [arg_start[i], arg_start[i + 1])
    arg_name: Column  # i
    arg_kind: Column  # B
    arg_value: Column  # q: the number, the bits of the double, or the string
    counter_event: Column  # i
    counter_value: Column  # q
    flow_event: Column  # i
    flow_id: Column  # Q
    flow_end: Column  # B: 0 the flow starts here, 1 it ends here
    uuids: Column  # Q: by track
    sample_time_ns: Column  # q: CPU samples, each one period of a thread's CPU time
    sample_pid: Column  # i
    sample_tid: Column  # i
    sample_hz: Column  # i: 1 / period; 0 not told
    sample_stack: Column  # i
    stack_start: Column  # i: stack i has the frames [stack_start[i], stack_start[i + 1])
    stack_frame: Column  # i: the outermost first
    frame_function: Column  # i
    frame_path: Column  # i
    frame_line: Column  # i: 0 unknown
    strings: list[str]
    descriptors: list[tuple[int, bytes]]  # (packet that had it last, TrackDescriptor)
    snapshots: list[tuple[int, int, int, int]]  # (sequence, monotonic, realtime, boottime)
    framed_bytes: int  # the file up to here is packets
    skipped_bytes: int  # packets among them that could not be used
    packets: int


@dataclass(frozen=True, slots=True)
class Slices:
    """Begin and end paired, ordered by begin."""

    event: Column  # i: the begin
    start_ns: Column  # q
    end_ns: Column  # q
    parent: Column  # i: slice
    unfinished: Column  # B: 1 when the trace ended first
    instants: Column  # i: events, ordered by time
    process_end_ns: Column  # q: last event of process i at i + 1; of no process at 0
    unmatched_ends: int


@dataclass(frozen=True, slots=True)
class Owners:
    """Whose each slice is, and the tables of tasks, coroutines (groups) and callbacks."""

    kind: Column  # B, by slice
    owner: Column  # i, by slice: a task; for LOOP_CALLBACK a callback
    code: Column  # q, by slice: READY the waker, AWAIT the name
    task_id: Column  # q: -1 when its first slice is lost
    task_process: Column  # i
    task_head: Column  # i: first slice
    task_name: Column  # i
    task_coro: Column  # i
    task_site: Column  # i
    task_parent: Column  # q: task id
    task_group: Column  # i
    call_name: Column  # i
    call_site: Column  # i
    call_head: Column  # i: first slice
    call_is_task: Column  # B: a task's step whose task is unknown
    group_head: Column  # i: first task


@dataclass(frozen=True, slots=True)
class Stats:
    """Durations in ns of one key of many; percentiles interpolate between closest ranks."""

    count: Column  # all q, by key
    total: Column
    p50: Column
    p90: Column
    p99: Column
    max: Column
    longest: Column  # slice


@dataclass(frozen=True, slots=True)
class Sums:
    """Durations in ns by key and code."""

    key: Column  # i
    code: Column  # q
    count: Column  # q
    total: Column  # q
    max: Column  # q


@dataclass(frozen=True, slots=True)
class Delays:
    """How long slices of a key overlapped with an occupant of their loop."""

    key: Column  # i
    who: Column  # q
    total: Column  # q
