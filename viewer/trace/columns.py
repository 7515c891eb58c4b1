"""The columns of a trace: one value per event, argument, slice or task.

Columns are memoryviews over 4 or 8 byte integers (formats in the comments); -1 means "none".
Tables are tuples of columns: many fields cost a dataclass milliseconds at each start.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

from viewer.trace.strings import Strings

# Kinds of slices; mirrored in native/native.h
OTHER, READY, RUNNING, AWAIT, LIFETIME, LOOP_TASK, LOOP_CALLBACK, SELECT, GC = range(9)

# What a thread does, a lock wait of a task, a hold; mirrored in native/native.h.
# A state may have flags: holds the GIL, did not get the lock, a later piece of a call.
(
    THREAD_RUNNING,
    NATIVE,
    PREEMPTED,
    OFF_CPU,
    GIL_WAIT,
    LOCK_WAIT,
    IDLE_WAIT,
    IO,
    SLEEP,
    TASK_WAIT,
    HOLD,
) = range(1, 12)
STATE_MASK, HOLDING, FAILED, CONTINUES = 15, 16, 32, 64
HOLDING_MODES = 4  # a thread holds the GIL while running, preempted, off the CPU, in a call

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


def records[T: tuple[Any, ...]](kind: type[T], *columns: Iterable[Any]) -> list[T]:
    """Named tuples of very many rows: calling their class takes three times as long."""
    return [*map(partial(tuple.__new__, kind), zip(*columns, strict=True))]


class Events(NamedTuple):
    """The events of a file, in its order. Names and texts are indexes into `strings`."""

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
    counter_value: Column  # q: the number, or the bits of a double
    counter_is_double: Column  # B
    flow_event: Column  # i
    flow_id: Column  # Q
    flow_end: Column  # B: 0 the flow starts here, 1 it ends here
    uuids: Column  # Q: by track
    sample_time_ns: Column  # q: CPU samples, each one period of a thread's CPU time
    sample_pid: Column  # i
    sample_tid: Column  # i
    sample_hz: Column  # i: 1 / period; 0 unknown
    sample_stack: Column  # i
    stack_start: Column  # i: stack i has the frames [stack_start[i], stack_start[i + 1])
    stack_frame: Column  # i: the outermost first
    frame_function: Column  # i
    frame_path: Column  # i
    frame_line: Column  # i: 0 unknown
    descriptor_at: Column  # q: the TrackDescriptors, each once; where the first one is
    descriptor_bytes: Column  # q
    descriptor_packet: Column  # q: the last packet that had it
    clock_mono_ns: Column  # q: the clocks at the beginning of each sequence of packets
    clock_real_ns: Column  # q
    clock_boot_ns: Column  # q
    strings: Strings
    framed_bytes: int  # the file consists of packets up to here
    skipped_bytes: int  # of packets that could not be used
    packets: int
    is_plain: bool  # all strings are printable ASCII and ends of lines


class Described(NamedTuple):
    """The described tracks, for `viewer.trace.tracks`; texts are "" when not given."""

    uuid: Column  # Q, by row
    parent_uuid: Column  # Q
    parent_row: Column  # i: -1 without
    pid: Column  # Q
    tid: Column  # Q
    name: Column  # i: index into texts
    thread_name: Column  # i
    body: Column  # i: which of the descriptors it is
    row_of_track: Column  # i, by event track: -1 without
    texts: Strings
    is_plain: bool  # all texts are printable ASCII


class Slices(NamedTuple):
    """Begin and end paired, ordered by begin."""

    event: Column  # i: the begin
    end_event: Column  # i: the end, -1 when there is none
    start_ns: Column  # q
    end_ns: Column  # q
    parent: Column  # i: slice
    unfinished: Column  # B: 1 when the trace ended first
    instants: Column  # i: events, ordered by time
    process_end_ns: Column  # q: last event of process i at i + 1; of no process at 0
    unmatched_ends: int


class Owners(NamedTuple):
    """The owner of each slice, and the tables of tasks, coroutines (groups) and callbacks."""

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


class States(NamedTuple):
    """What threads did, and the waits and holds of locks: a row per slice, by begin.

    The states of a thread do not overlap, nor do the holds of a lock.
    """

    start_ns: Column  # q, by row
    end_ns: Column  # q
    busy_end_ns: Column  # q: start plus all pieces of the call; for other states end_ns
    state: Column  # B: a state and its flags
    slice: Column  # i
    who: Column  # i: a thread; of TASK_WAIT a task; of HOLD -1
    row: Column  # i: a call (IO, SLEEP) or a lock, else -1
    owner: Column  # i: HOLDING: thread * HOLDING_MODES + mode; lock waits, HOLD: an owner
    site: Column  # i: of waits and holds
    waker: Column  # i: the thread whose release ended the wait
    first_ns: Column  # q, by thread: its first state begins; 0 when it has none
    last_ns: Column  # q, by thread: its last state ends
    call_process: Column  # i
    call_name: Column  # i
    call_site: Column  # i
    call_bytes: Column  # q: -1 unknown
    lock_id: Column  # q: -1 unknown
    lock_process: Column  # i
    lock_name: Column  # i: of its first wait
    lock_site: Column  # i: of its first wait
    lock_kind: Column  # i: from its first hold
    owner_id: Column  # q: a tid or task id, -1 unknown
    owner_process: Column  # i
    owner_is_task: Column  # B
    owner_name: Column  # i
    owner_site: Column  # i

    def only(self, take: Callable[[Column, Column, int], Column], rows: Column) -> "States":
        """With these rows alone; all calls, locks and owners."""
        behind = self._fields.index("first_ns")  # the first column by thread
        return States(*[take(column, rows, 0) for column in self[:behind]], *self[behind:])


class Tally(NamedTuple):
    """Durations in ns by key * kinds + kind."""

    count: Column  # type: ignore[assignment]  # q
    total: Column  # q


class Pairs(NamedTuple):
    """Rows numbered by a pair of values, in order of first sight."""

    number: Column  # i, by row: -1 when the first value is negative
    head: Column  # i, by number: the first row


class Gaps(NamedTuple):
    """Times between the intervals of a key."""

    key: Column  # i
    start_ns: Column  # q
    end_ns: Column  # q


class Spans(NamedTuple):
    """The first and last row of a key, and its end; -1 when it has none."""

    first: Column  # i: row, by key
    last: Column  # i
    end_ns: Column  # q: 0 when it has none


class Stats(NamedTuple):
    """Statistics of durations in ns, by key; percentiles interpolate between closest ranks."""

    count: Column  # type: ignore[assignment]  # all q, by key
    total: Column
    p50: Column
    p90: Column
    p99: Column
    max: Column
    longest: Column  # slice


class Sums(NamedTuple):
    """Durations in ns by key and code."""

    key: Column  # i
    code: Column  # q
    count: Column  # type: ignore[assignment]  # q
    total: Column  # q
    max: Column  # q


class Timeline(NamedTuple):
    """Lanes in pieces without gap or overlap; see viewer.trace.timelines.flatten."""

    offset: Column  # i: lane k has the pieces [offset[k], offset[k + 1])
    start_ns: Column  # q: a piece ends where the lane's next one begins
    row: Column  # i: the occupant; -1 nobody, -2 unknown, also after the lane's last piece


class Charges(NamedTuple):
    """What waits of a key cost behind one occupant of their lanes."""

    key: Column  # i
    who: Column  # i
    total: Column  # q: ns
    count: Column  # type: ignore[assignment]  # q: waits
    longest: Column  # q: ns, of one of them


class Carved(NamedTuple):
    """Windows of time in pieces of a lane, by key."""

    key: Column  # i: -1 nobody, -2 unknown
    offset: Column  # i: key n has the pieces [offset[n], offset[n + 1])
    total: Column  # q: ns, by key
    from_ns: Column  # q, by piece
    until_ns: Column  # q


class Met(NamedTuple):
    """What was waited during intervals."""

    total: Column  # q: ns, by interval
    count: Column  # type: ignore[assignment]  # i: waits


class Lanes(NamedTuple):
    """Slices by lane. `label` gives the text of a row (not a place), an index of strings."""

    offset: Column  # i: lane k has the places [offset[k], offset[k + 1])
    row: Column  # i, by place
    start_ns: Column  # q
    end_ns: Column  # q
    code: Column  # B

    def places(self, lane: int) -> range:
        return range(self.offset[lane], self.offset[lane + 1])

    def of(self, lane: int) -> Column:
        """Its rows, in order of begin."""
        return self.row[self.offset[lane] : self.offset[lane + 1]]

    def begun(self, lane: int, since_ns: int, until_ns: int = LARGEST) -> range:
        """The places of its rows that begin in a time."""
        low, high = self.offset[lane], self.offset[lane + 1]
        first = bisect_left(self.start_ns, since_ns, low, high)
        return range(first, bisect_left(self.start_ns, until_ns, first, high))

    def met(self, lane: int, since_ns: int, until_ns: int) -> Column:
        """Its rows that begin in a time, and before them the one that began last before it."""
        begun = self.begun(lane, since_ns, until_ns)
        return self.row[max(begun.start - 1, self.offset[lane]) : begun.stop]

    def codes(self, lane: int) -> Column:
        return self.code[self.offset[lane] : self.offset[lane + 1]]

    def last_ns(self, lane: int) -> int:
        """The end of its last row; 0 if it has none."""
        at = self.offset[lane + 1]
        return self.end_ns[at - 1] if at > self.offset[lane] else 0


class Tile(NamedTuple):
    """Items of the wanted lanes. A bucket has row -1 and STATES shares of 255."""

    lane: Column  # i: wanted lane k has the items [lane[k], lane[k + 1])
    start_ns: Column  # q
    end_ns: Column  # q
    code: Column  # B: for a bucket, what it has most of
    row: Column  # i
    count: Column  # type: ignore[assignment]  # i
    shares: Column  # B

    @property
    def is_exact(self) -> bool:
        return not len(self.shares)
