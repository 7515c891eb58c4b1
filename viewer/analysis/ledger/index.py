"""The indexes of a trace that the ledger uses: threads, tasks, loops, and their rows."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.ledger.rows import is_own, waits_for_lock
from viewer.analysis.states import keys, numbers
from viewer.trace.columns import AWAIT, GIL_WAIT, READY, STATE_MASK, Column, Lanes
from viewer.trace.flows import Flows
from viewer.trace.model import Model


class Failure(NamedTuple):
    """The end of a thread by an exception: its class, and the line that raised it."""

    at_ns: int
    exception: str
    site: str


class Index:
    """Threads, tasks and loops by what names them; each index is made on its first use."""

    def __init__(self, model: Model) -> None:
        self.model = model

    @cached_property
    def _threads(self) -> dict[int, dict[int, int]]:
        """By process and tid."""
        return self._first_of(self.model.thread_process)

    @cached_property
    def _threads_of_pids(self) -> dict[int, dict[int, int]]:
        """By pid and tid, for threads without events."""
        return self._first_of(self.model.threads.pids)

    def _first_of(self, owners: Sequence[int] | Column) -> dict[int, dict[int, int]]:
        """By owner and tid the first such thread."""
        tids, last = self.model.threads.tids, len(owners) - 1
        known = zip(reversed(tids), range(last, -1, -1), strict=True)
        if len({*owners}) == 1:
            return {owners[0]: dict(known)}
        found = defaultdict[int, dict[int, int]](dict)
        for tid, thread in known:
            found[owners[thread]][tid] = thread
        return found

    def thread(self, process: int, tid: int) -> int:
        """-1 when the trace has no such thread."""
        known = self._threads.get(process, {}).get(tid)
        if known is None:
            known = self._threads_of_pids.get(self.model.pid(process), {}).get(tid, -1)
        return known

    @cached_property
    def _tasks(self) -> dict[tuple[int, int], int]:
        owned = self.model.owners
        return {
            key: i for i, key in enumerate(zip(owned.task_process, owned.task_id, strict=True))
        }

    def task_of(self, process: int, id_: int) -> int:
        """-1 when the trace has no task with this id."""
        return self._tasks.get((process, id_), -1) if id_ >= 0 else -1

    def parent_of(self, task: int) -> int:
        """The task that made it; -1 unknown."""
        owned = self.model.owners
        return self.task_of(owned.task_process[task], owned.task_parent[task])

    @cached_property
    def _children(self) -> dict[tuple[int, int], list[int]]:
        owned, found = self.model.owners, defaultdict[tuple[int, int], list[int]](list)
        for child, key in enumerate(zip(owned.task_process, owned.task_parent, strict=True)):
            found[key].append(child)
        return found

    def children_of(self, task: int) -> Sequence[int]:
        """The tasks that it made."""
        owned = self.model.owners
        return self._children.get((owned.task_process[task], owned.task_id[task]), ())

    @cached_property
    def _named(self) -> dict[tuple[int, str], list[int]]:
        owned, found = self.model.owners, defaultdict[tuple[int, str], list[int]](list)
        for task, process in enumerate(owned.task_process):
            found[process, self.model.task_name(task)].append(task)
        return found

    def named_beside(self, task: int, name: str) -> Sequence[int]:
        """The tasks of its process that are called so."""
        return self._named.get((self.model.owners.task_process[task], name), ())

    @cached_property
    def made_groups(self) -> dict[int, set[int]]:
        """By group of tasks the groups of those that they made."""
        owned, found = self.model.owners, defaultdict[int, set[int]](set)
        for task, id_ in enumerate(owned.task_parent):
            maker = self.parent_of(task) if id_ >= 0 else -1
            if maker >= 0:
                found[owned.task_group[maker]].add(owned.task_group[task])
        return found

    @cached_property
    def thread_of_loop(self) -> list[int]:
        """-1 when several threads have the loop's name."""
        if not self.model.loops:
            return []  # an index of all threads would be for nothing
        known, nobody = self._threads, dict[int, int]()
        return [
            of[loop.tid] if loop.tid in (of := known.get(loop.process, nobody))
            else self.thread(loop.process, loop.tid) if loop.tid else -1
            for loop in self.model.loops
        ]  # fmt: skip

    def thread_of_task(self, task: int) -> int:
        """The thread of the loop that runs it; -1 unknown."""
        loop = self.model.lane[self.model.owners.task_head[task]]
        return self.thread_running(loop)

    def thread_running(self, loop: int) -> int:
        """The thread of a loop, which may be unknown itself (-1)."""
        return self.thread_of_loop[loop] if loop >= 0 else -1

    @cached_property
    def lane_of_loop(self) -> list[int]:
        """Loops of a thread share a lane, since they delay each other."""
        first: dict[int, int] = {}
        known = [thread for thread in self.thread_of_loop if thread >= 0]
        if len(known) == len({*known}):  # no two loops are of one thread
            return [*range(len(self.thread_of_loop))]
        return [
            first.setdefault(thread, loop) if thread >= 0 else loop
            for loop, thread in enumerate(self.thread_of_loop)
        ]

    @cached_property
    def lane_of_thread(self) -> dict[int, int]:
        """The lane of a thread's loops, for threads that have some."""
        lanes = zip(self.thread_of_loop, self.lane_of_loop, strict=True)
        return {thread: lane for thread, lane in lanes if thread >= 0}

    @property
    def thread_of_track(self) -> Column:
        """By track the thread that it is of; -1 of none."""
        return self.model.threads.of_track

    @cached_property
    def starters(self) -> dict[int, tuple[int, int]]:
        """By thread, the thread that started it, and the event."""
        trace, thread_of = self.model.trace, self.thread_of_track
        events, found = trace.events, dict[int, tuple[int, int]]()
        for source in trace.instants(events.name, s.THREAD_START):
            parent = thread_of[events.track[source]]
            for flow, is_end in self.flows.at(source) if parent >= 0 else ():
                target = -1 if is_end else self.flows.other_end(flow, is_end, source)
                if target >= 0:
                    found[thread_of[events.track[target]]] = parent, source
        return found

    # Rows by lane -------------------------------------------------------------------------

    @cached_property
    def rows_of_threads(self) -> Lanes:
        """Rows of States by thread, in order of begin."""
        table, threads = self.model.states, len(self.model.threads)
        lane = keys(self.model, is_own, table.who, numbers(range(threads)))
        return self.model.trace.engine.lanes(
            table.start_ns, table.end_ns, table.state, lane, threads
        )

    @cached_property
    def waits_of_locks(self) -> Lanes:
        """Rows of States by lock: the waits for it, in order of begin."""
        table, locks = self.model.states, len(self.model.states.lock_id)
        lane = keys(self.model, waits_for_lock, table.row, numbers(range(locks)))
        return self.model.trace.engine.lanes(
            table.start_ns, table.end_ns, table.state, lane, locks
        )

    def waits_for(self, lock: int) -> tuple[list[int], list[int], list[int]]:
        """The waits for a lock, in order of begin: rows of States, begins, ends."""
        waits = self.waits_of_locks
        of_lock = slice(waits.offset[lock], waits.offset[lock + 1])
        columns = (waits.row, waits.start_ns, waits.end_ns)
        rows, begins, ends = (column[of_lock].tolist() for column in columns)
        return rows, begins, ends

    @cached_property
    def rows_of_tasks(self) -> Lanes:
        """Slices of states by task, in order of begin."""
        owned, slices = self.model.owners, self.model.trace.slices
        return self.model.trace.engine.lanes(
            slices.start_ns, slices.end_ns, owned.kind, self.task_of_slice, len(owned.task_id)
        )

    @cached_property
    def task_of_slice(self) -> Column:
        """By slice the task, if it is a state of one, else -1."""
        owned = self.model.owners
        table = bytes(int(READY <= kind <= AWAIT) for kind in range(256))
        mark = memoryview(bytes(owned.kind).translate(table))
        every = numbers(range(len(owned.task_id)))
        return self.model.trace.engine.group_keys(mark, owned.owner, every, 1)

    def how_it_ended(self, task: int) -> str:
        """The instant at a task's end: `done`, `cancelled` …; "" while it lives."""
        slices, events, lanes = (
            self.model.trace.slices,
            self.model.trace.events,
            self.rows_of_tasks,
        )
        low, high = lanes.offset[task], lanes.offset[task + 1]
        if low == high:
            return ""
        end, track = lanes.end_ns[high - 1], events.track[slices.event[lanes.row[high - 1]]]
        at = bisect_left(slices.instants, end, key=events.time_ns.__getitem__)
        while at < len(slices.instants) and events.time_ns[slices.instants[at]] == end:
            if events.track[slices.instants[at]] == track:
                return self.model.trace.text(events.name[slices.instants[at]])
            at += 1
        return ""

    def ended_so(self, tasks: Sequence[int], how: str) -> set[int]:
        """Those of the tasks at whose end is the instant `how`."""
        trace, lanes = self.model.trace, self.rows_of_tasks
        events, take, symbol = trace.events, trace.engine.take, trace.symbol(how)
        ended = trace.instants(events.name, how)
        if not len(ended):
            return set()
        mark = bytearray(trace.engine.bounds(events.track)[1] + 1)
        for track in take(events.track, ended, -1):
            mark[track] = 1
        instants = trace.engine.pick(trace.slices.instants, events.track, memoryview(mark))
        back = numbers(reversed(instants))  # of several at one moment the first counts
        times, tracks = take(events.time_ns, back, -1), take(events.track, back, -1)
        moments = zip(times, tracks, strict=True)
        first = dict(zip(moments, take(events.name, back, -1), strict=True))
        asked = numbers(tasks)
        lows, highs = take(lanes.offset, asked, 0), take(lanes.offset[1:], asked, 0)
        spans = zip(lows, highs, strict=True)
        last = numbers([high - 1 if low < high else -1 for low, high in spans])
        slices = take(trace.slices.event, take(lanes.row, last, -1), -1)
        ends = zip(take(lanes.end_ns, last, -1), take(events.track, slices, -1), strict=True)
        return {
            task for task, end in zip(asked, ends, strict=True) if first.get(end) == symbol
        }

    @cached_property
    def failures(self) -> dict[int, Failure]:
        """By thread, for those that ended with an exception."""
        trace, found = self.model.trace, dict[int, Failure]()
        names = map(trace.text, trace.begin_with(s.FAILED_PREFIX))
        events, take = trace.instants(trace.events.name, *names), trace.engine.take
        threads = take(self.thread_of_track, take(trace.events.track, events, -1), -1)
        for thread, event in dict(
            zip(threads, events, strict=True)
        ).items():  # the last of each
            if thread >= 0:
                name = trace.text(trace.events.name[event])
                found[thread] = Failure(
                    trace.events.time_ns[event],
                    name.removeprefix(s.FAILED_PREFIX),
                    trace.text_of_event(event, s.ARG_SITE),
                )
        return found

    def site_of_await(self, i: int) -> str:
        """Where a task's slice i awaits; "" for the first, whose site is the task's own."""
        if i == self.model.owners.task_head[self.model.owners.owner[i]]:
            return ""
        trace = self.model.trace
        return trace.text_of_event(trace.slices.event[i], s.ARG_SITE)

    @cached_property
    def flows(self) -> Flows:
        return Flows(self.model.trace.events)

    def slice_at(self, event: int) -> int:
        """The slice that begins with an event; -1 when none does."""
        slices, at_ns = self.model.trace.slices, self.model.trace.events.time_ns[event]
        at = bisect_left(slices.start_ns, at_ns)
        while at < len(slices.start_ns) and slices.start_ns[at] == at_ns:
            if slices.event[at] == event:
                return at
            at += 1
        return -1

    def released_ns(self, wait: int) -> int:
        """When the release that ended a thread's wait (a row of States) was; -1 not told."""
        event = self.release_of(wait)
        return self.model.trace.events.time_ns[event] if event >= 0 else -1

    def release_of(self, wait: int) -> int:
        """The event of the release that ended a thread's wait; -1 not told.

        Its arrow leads to what follows the wait, or the `GIL wait` after it.
        """
        table, slices = self.model.states, self.model.trace.slices
        rows = self.rows_of_threads
        low, high = rows.offset[table.who[wait]], rows.offset[table.who[wait] + 1]
        following = bisect_left(rows.start_ns, table.end_ns[wait], low, high)
        if table.waker[wait] < 0:
            return -1
        for at in range(following, min(following + 2, high)):
            for event in self.flows.causes(slices.event[table.slice[rows.row[at]]]):
                return event
            if table.state[rows.row[at]] & STATE_MASK != GIL_WAIT:
                break
        return -1
