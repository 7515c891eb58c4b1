"""Who did what when: a trace's lanes, each cut into pieces by any window of time."""

import re
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import compress

from tracer import schema as s
from viewer.trace.columns import (
    AWAIT,
    HOLD,
    HOLDING,
    LOOP_TASK,
    READY,
    SELECT,
    STATE_MASK,
    TASK_WAIT,
)
from viewer.trace.model import Collection, Model

# What a piece is when it is no row of a column.
NOBODY = -1  # between two rows of the lane
UNKNOWN = -2  # before the lane's first row, after its last, or while events were dropped

_NAMED_BY_ASYNCIO = re.compile(r"Task-(\d+)")

type Window = tuple[int, int]  # from, until; in lists: in order, not overlapping
type Piece = tuple[int, int, int]  # from, until, whose


def span(windows: Iterable[Window]) -> int:
    """How long they are together, in ns."""
    return sum(end - start for start, end in windows)


def layered(entries: Iterable[Piece], start: int, end: int, below: int) -> list[Piece]:
    """The window in pieces without gap or overlap; the entry begun last has the moment.

    `entries` are ordered by begin, the outer before the inner. Where none is, is `below`.
    """
    pieces: list[Piece] = []
    stack: list[tuple[int, int]] = []  # (end, whose)
    at = start

    def until(time: int, whose: int) -> None:
        nonlocal at
        time = min(time, end)
        if time > at:
            pieces.append((at, time, whose))
            at = time

    def leave(time: int) -> None:
        while stack and stack[-1][0] <= time:
            until(*stack.pop())

    for begins, ends, whose in entries:
        leave(begins)
        until(begins, stack[-1][1] if stack else below)
        stack.append((ends, whose))
    leave(end)
    until(end, stack[-1][1] if stack else below)
    return pieces


def _positions(column: bytes, value: int, start: int) -> Iterator[int]:
    """Where a number is in a column of 4 bytes each, from a row on.

    Few values of many are asked for: bytes.find is faster than an index of all.
    """
    needle = value.to_bytes(4, sys.byteorder, signed=True)
    at = column.find(needle, start * 4)
    while at >= 0:
        if at % 4 == 0:
            yield at // 4
        at = column.find(needle, at + 1)


class Lanes:
    """The rows of a model by the lane they are on; each index is made when first asked for."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._thread_rows: dict[int, array[int]] = {}
        self._task_slices: dict[int, array[int]] = {}

    # What a loop ran ----------------------------------------------------------------------

    @cached_property
    def _loop_slices(self) -> list[array[int]]:
        """By loop, what its `running task` track shows."""
        found = [array("i") for _ in self.model.loops]
        kinds, lane = bytes(self.model.owners.kind), self.model.lane
        on_loop = kinds.translate(bytes(LOOP_TASK <= kind <= SELECT for kind in range(256)))
        for i in compress(range(len(kinds)), on_loop):
            if lane[i] >= 0:
                found[lane[i]].append(i)
        return found

    @cached_property
    def loops_of(self) -> dict[int, list[int]]:
        """By thread its loops."""
        found: dict[int, list[int]] = defaultdict(list)
        for i in range(len(self.model.loops)):
            if (thread := self.thread_of_loop(i)) >= 0:
                found[thread].append(i)
        return found

    def thread_of_loop(self, loop: int) -> int:
        """-1 when several threads have its name."""
        of = self.model.loops[loop]
        return self.thread(of.process, of.tid) if of.tid else -1

    def loop(self, loop: int, start: int, end: int) -> list[Piece]:
        """Slices of the loop's track; NOBODY is asyncio's own work.

        Collections are pieces numbered from the number of slices on.
        """
        return self._on_loop(
            loop, start, end, self.collections(self.thread_of_loop(loop), start, end)
        )

    def loop_without_gc(self, loop: int, start: int, end: int) -> list[Piece]:
        return self._on_loop(loop, start, end, [])

    def _on_loop(self, loop: int, start: int, end: int, above: list[Piece]) -> list[Piece]:
        slices, rows = self.model.trace.slices, self._loop_slices[loop]
        first = bisect_right(rows, start, key=slices.start_ns.__getitem__)
        last = bisect_left(rows, end, first, key=slices.start_ns.__getitem__)
        inside = list(rows[first:last])
        around = rows[first - 1] if first else -1
        while around >= 0:
            inside.insert(0, around)
            around = slices.parent[around]
        entries = [(slices.start_ns[i], slices.end_ns[i], i) for i in inside]
        of = self.model.loops[loop]
        entries += above + self._drops(of.process, start, end)
        entries.sort(key=lambda entry: entry[0])
        return self._framed(layered(entries, start, end, NOBODY), rows, slices.start_ns)

    def _framed(
        self, pieces: list[Piece], rows: Sequence[int], starts: memoryview
    ) -> list[Piece]:
        """Before the first row and after the last nothing is known: not that there is none."""
        if not rows:
            return [(a, b, UNKNOWN if w == NOBODY else w) for a, b, w in pieces]
        first, last = starts[rows[0]], starts[rows[-1]]
        found = []
        for start, end, whose in pieces:
            outside = whose == NOBODY and (end <= first or start >= last)
            found.append((start, end, UNKNOWN if outside else whose))
        return found

    # Collections and losses ---------------------------------------------------------------

    @cached_property
    def _gc_of(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = defaultdict(list)
        for i, collection in enumerate(self.model.collections):
            thread = self.thread(collection.process, collection.tid)
            if thread >= 0 and collection.tid:
                found[thread].append(i)
        return found

    def collections(self, thread: int, start: int, end: int) -> list[Piece]:
        """The thread's collections that reach into the window."""
        all_, base = self.model.collections, len(self.model.owners.kind)
        rows = self._gc_of.get(thread, [])
        at = max(bisect_right(rows, start, key=lambda i: all_[i].start_ns) - 1, 0)
        found = []
        for i in rows[at:]:
            if all_[i].start_ns >= end:
                break
            if all_[i].end_ns > start:
                found.append((all_[i].start_ns, all_[i].end_ns, base + i))
        return found

    def collecting(self, thread: int, start: int, end: int) -> list[Piece]:
        """Collections of the thread; NOBODY while it did something else."""
        return layered(self.collections(thread, start, end), start, end, NOBODY)

    def collection(self, whose: int) -> Collection | None:
        """The collection of a piece, if it is one."""
        base = len(self.model.owners.kind)
        return self.model.collections[whose - base] if whose >= base else None

    @cached_property
    def _dropped(self) -> dict[int, list[Window]]:
        found: dict[int, list[Window]] = defaultdict(list)
        for process, since, until in sorted(self.model.drops):
            found[process].append((since, until))
        return found

    def _drops(self, process: int, start: int, end: int) -> list[Piece]:
        lost = self._dropped.get(process, ())
        return [(a, b, UNKNOWN) for a, b in lost if a < end and b > start]

    # Threads, the GIL, locks --------------------------------------------------------------

    @cached_property
    def _threads(self) -> dict[tuple[int, int], int]:
        found: dict[tuple[int, int], int] = {}
        for i, track in enumerate(self.model.threads):
            found.setdefault((self.model.thread_process[i], track.tid), i)
            found.setdefault((-track.pid, track.tid), i)  # of a thread without events
        return found

    def thread(self, process: int, tid: int) -> int:
        """-1 when the trace has no such thread."""
        known = self._threads.get((process, tid))
        if known is None:
            known = self._threads.get((-self.model.pid(process), tid), -1)
        return known

    @cached_property
    def _holds(self) -> dict[int, array[int]]:
        """By lock its rows of States (HOLD)."""
        table = self.model.states
        found: dict[int, array[int]] = defaultdict(lambda: array("i"))
        is_hold = bytes(state & STATE_MASK == HOLD for state in range(256))
        states = bytes(table.state)
        for row in compress(range(len(states)), states.translate(is_hold)):
            found[table.row[row]].append(row)
        return dict(found)

    @cached_property
    def _gil(self) -> dict[int, array[int]]:
        """By process the rows of States of whoever had the GIL."""
        table, processes = self.model.states, self.model.thread_process
        has_gil = bytes(bool(state & HOLDING) for state in range(256))
        states = bytes(table.state)
        rows = compress(range(len(states)), states.translate(has_gil))
        if len(set(processes)) == 1:
            return {processes[0]: array("i", rows)}
        found: dict[int, array[int]] = defaultdict(lambda: array("i"))
        for row in rows:
            found[processes[table.who[row]]].append(row)
        return dict(found)

    @cached_property
    def _who_bytes(self) -> bytes:
        return bytes(self.model.states.who)

    def rows_of_thread(self, thread: int) -> Sequence[int]:
        """Its rows of States, in order of begin."""
        found = self._thread_rows.get(thread)
        if found is None:
            states = self.model.states.state
            rows = _positions(self._who_bytes, thread, 0)
            own = (row for row in rows if states[row] & STATE_MASK not in (TASK_WAIT, HOLD))
            found = self._thread_rows[thread] = array("i", own)
        return found

    def slice_of(self, row: int) -> int:
        """The slice that a row of States is, told by its track and begin."""
        slices, events = self.model.trace.slices, self.model.trace.events
        start = self.model.states.start_ns[row]
        uuid = self.model.threads[self.model.states.who[row]].uuid
        first = bisect_left(slices.start_ns, start)
        here = range(first, bisect_right(slices.start_ns, start, first))
        mine = [i for i in here if events.uuids[events.track[slices.event[i]]] == uuid]
        # At equal times the last is the state: what has no length ended where it began. A
        # collection that begins with the state is inside it.
        return next((i for i in reversed(mine) if slices.parent[i] < 0), -1)

    def name_of(self, row: int) -> str:
        """The name of the slice that a row of States is."""
        i = self.slice_of(row)
        return self.name_of_slice(i) if i >= 0 else ""

    def name_of_slice(self, i: int) -> str:
        trace = self.model.trace
        return trace.text(trace.events.name[trace.slices.event[i]])

    def state(self, thread: int, start: int, end: int) -> list[Piece]:
        """Rows of States; UNKNOWN where no state is told."""
        rows = self.rows_of_thread(thread)
        return layered(self._covering(rows, start, end), start, end, UNKNOWN)

    def gil(self, process: int, start: int, end: int) -> list[Piece]:
        """Rows of States of whoever had the process's GIL; NOBODY when it was free."""
        return self._exclusive(self._gil.get(process, ()), process, start, end)

    def holds(self, lock: int, start: int, end: int) -> list[Piece]:
        """Rows of States (HOLD); NOBODY between two holders."""
        process = self.model.states.lock_process[lock]
        return self._exclusive(self._holds.get(lock, ()), process, start, end)

    def has_holds(self, lock: int) -> bool:
        return lock in self._holds

    def _exclusive(
        self, rows: Sequence[int], process: int, start: int, end: int
    ) -> list[Piece]:
        entries = self._covering(rows, start, end) + self._drops(process, start, end)
        entries.sort(key=lambda entry: entry[0])
        starts = self.model.states.start_ns
        return self._framed(layered(entries, start, end, NOBODY), rows, starts)

    def _covering(self, rows: Sequence[int], start: int, end: int) -> list[Piece]:
        """Those of a lane's rows that reach into the window; they do not overlap."""
        table = self.model.states
        first = max(bisect_right(rows, start, key=table.start_ns.__getitem__) - 1, 0)
        last = bisect_left(rows, end, first, key=table.start_ns.__getitem__)
        return [(table.start_ns[r], table.end_ns[r], r) for r in rows[first:last]]

    # Tasks --------------------------------------------------------------------------------

    @cached_property
    def _owner_bytes(self) -> bytes:
        return bytes(self.model.owners.owner)

    def rows_of_task(self, task: int) -> Sequence[int]:
        """Its states: slices, in order of begin."""
        found = self._task_slices.get(task)
        if found is None:
            kinds = self.model.owners.kind
            rows = _positions(self._owner_bytes, task, self.model.owners.task_head[task])
            own = (i for i in rows if READY <= kinds[i] <= AWAIT)
            found = self._task_slices[task] = array("i", own)
        return found

    def task(self, task: int, start: int, end: int) -> list[Piece]:
        """Slices of its states; UNKNOWN before it began, after its end and where lost."""
        slices, rows = self.model.trace.slices, self.rows_of_task(task)
        first = max(bisect_right(rows, start, key=slices.start_ns.__getitem__) - 1, 0)
        last = bisect_left(rows, end, first, key=slices.start_ns.__getitem__)
        entries = [(slices.start_ns[i], slices.end_ns[i], i) for i in rows[first:last]]
        return layered(entries, start, end, UNKNOWN)

    @cached_property
    def _tasks(self) -> dict[tuple[int, int], int]:
        owned = self.model.owners
        keys = zip(owned.task_process, owned.task_id, strict=True)
        return {key: i for i, key in enumerate(keys)}

    def task_of(self, process: int, id_: int) -> int:
        """-1 when the trace has no task with this id."""
        return self._tasks.get((process, id_), -1) if id_ >= 0 else -1

    @cached_property
    def task_waits(self) -> dict[tuple[int, int], int]:
        """By (task, begin) the row of States of its await of a lock."""
        table = self.model.states
        return {
            (table.who[row], table.start_ns[row]): row
            for row, state in enumerate(bytes(table.state))
            if state & STATE_MASK == TASK_WAIT
        }

    def loop_of_task(self, task: int) -> int:
        return self.model.lane[self.model.owners.task_head[task]]

    def name_of_task(self, task: int) -> str:
        """As the program named it; else its coroutine and asyncio's number."""
        name = self.model.task_name(task)
        numbered = _NAMED_BY_ASYNCIO.fullmatch(name)
        return f"{self.model.coroutine_of(task)} #{numbered[1]}" if numbered else name

    def after_await(self, task: int, i: int) -> int:
        """The `ready` that ended a task's await, the slice i; -1 none."""
        slices = self.model.trace.slices
        if slices.unfinished[i]:
            return -1
        return self.begins(task, slices.end_ns[i], READY)

    def begins(self, task: int, start_ns: int, kind: int) -> int:
        """The slice of that kind that a task begins then; -1 none."""
        starts, owned = self.model.trace.slices.start_ns, self.model.owners
        first = bisect_left(starts, start_ns)
        here = range(first, bisect_right(starts, start_ns, first))
        mine = (i for i in here if owned.owner[i] == task and owned.kind[i] == kind)
        return next(mine, -1)

    def how_it_ended(self, task: int) -> str:
        """The instant at a task's end: `done`, `cancelled` …; "" while it lives."""
        slices, events = self.model.trace.slices, self.model.trace.events
        rows = self.rows_of_task(task)
        if not rows:
            return ""
        end, track = slices.end_ns[rows[-1]], events.track[slices.event[rows[-1]]]
        at = bisect_left(slices.instants, end, key=events.time_ns.__getitem__)
        for event in slices.instants[at:]:
            if events.time_ns[event] != end:
                break
            if events.track[event] == track:
                return self.model.trace.text(events.name[event])
        return ""

    def site_of_await(self, i: int) -> str:
        """Where a task's slice i awaits; "" when it is its first: that has the task's own."""
        if i == self.model.owners.task_head[self.model.owners.owner[i]]:
            return ""
        site = self.model.trace.args(self.model.trace.slices.event[i]).get(s.ARG_SITE)
        return site if isinstance(site, str) else ""
