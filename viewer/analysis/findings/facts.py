"""What findings are made of, and what several of them ask of a model."""

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.findings.hot import places
from viewer.analysis.health import Health, health
from viewer.analysis.locks import LockRow, lock_rows
from viewer.analysis.profiles.profile import Place
from viewer.analysis.states import keys, marks
from viewer.analysis.tasks import By, TaskRow, task_rows
from viewer.analysis.threads import ThreadRow, thread_rows
from viewer.trace.columns import (
    AWAIT,
    CONTINUES,
    GIL_WAIT,
    HOLD,
    IDLE_WAIT,
    IO,
    LOCK_WAIT,
    LOOP_CALLBACK,
    LOOP_TASK,
    NATIVE,
    OFF_CPU,
    PREEMPTED,
    READY,
    SELECT,
    SLEEP,
    STATE_MASK,
    TASK_WAIT,
    THREAD_RUNNING,
    Column,
)
from viewer.trace.model import Collection, Model

BLOCKED = (IO, SLEEP, LOCK_WAIT, IDLE_WAIT)  # in a call of the program's, off the CPU
COMPUTING = (THREAD_RUNNING, NATIVE)
NOT_ITS_FAULT = (PREEMPTED, OFF_CPU, GIL_WAIT)  # the kernel's or another thread's
_LONG_NS = 10_000_000
_PATIENCE = 4  # without kernel data a pause may be a preemption: wait for clearer signs


@dataclass(frozen=True, slots=True)
class Evidence:
    """A slice of the trace in which the fault is to be seen. Ids are -1 where none is."""

    start_ns: int
    duration_ns: int
    track: str
    task: int = -1
    tid: int = -1
    site: str = ""
    lock: int = -1
    pid: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault. `severity_ns` is the time it cost, summed over all who waited."""

    finding: str
    severity_ns: int
    text: str
    evidence: Evidence


class Interval(NamedTuple):
    """A time on a loop's thread."""

    lane: int
    start_ns: int
    end_ns: int


class Behind(NamedTuple):
    """How long tasks were ready during an interval, all together, and how many."""

    ns: int
    tasks: int


@dataclass(frozen=True, slots=True)
class Split:
    """What a thread did for a time: ns by state, and the calls in it, (row of call, ns)."""

    states: Counter[int]
    calls: Counter[int]

    def of(self, states: Iterable[int]) -> int:
        return sum(self.states[state] for state in states)


def _begins_call(state: int) -> bool:
    return state & STATE_MASK in (IO, SLEEP) and not state & CONTINUES


class Facts:
    """A model, and the tables made of it when they are first asked for."""

    def __init__(
        self,
        model: Model,
        *,
        tasks: Sequence[TaskRow] | None = None,
        threads: Sequence[ThreadRow] | None = None,
        locks: Sequence[LockRow] | None = None,
    ) -> None:
        """Tables that were made already need not be made again; tasks are by coroutine."""
        self.model = model
        for name, rows in (("tasks", tasks), ("threads", threads), ("locks", locks)):
            if rows is not None:
                self.__dict__[name] = rows

    @cached_property
    def tasks(self) -> Sequence[TaskRow]:
        return task_rows(self.model, By.CORO)

    @cached_property
    def threads(self) -> Sequence[ThreadRow]:
        return thread_rows(self.model)

    @cached_property
    def locks(self) -> Sequence[LockRow]:
        return lock_rows(self.model)

    @cached_property
    def health(self) -> Health:
        return health(self.model)

    @cached_property
    def patience(self) -> int:
        """By how much thresholds of a thread's time grow when the kernel did not tell."""
        disabled = {hook for hook, _ in self.health.disabled}
        knows = "sched" in self.health.signals and "sched" not in disabled
        return 1 if knows and "gil" in self.health.signals else _PATIENCE

    @cached_property
    def task_of(self) -> dict[tuple[int, int], int]:
        """By (process, task id) the task, of those whose id is known."""
        owned = self.model.owners
        ids = zip(owned.task_process, owned.task_id, strict=True)
        return {key: task for task, key in enumerate(ids) if key[1] >= 0}

    @cached_property
    def loop_thread(self) -> list[int]:
        """By loop its thread; -1 unknown."""
        model = self.model
        index = {(track.pid, track.tid): i for i, track in enumerate(model.threads)}
        return [index.get((model.pid(loop.process), loop.tid), -1) for loop in model.loops]

    @cached_property
    def collections(self) -> dict[tuple[int, int], list[Collection]]:
        """By (process, tid), in order of time."""
        found: dict[tuple[int, int], list[Collection]] = defaultdict(list)
        for run in self.model.collections:
            found[run.process, run.tid].append(run)
        for runs in found.values():
            runs.sort(key=lambda run: run.start_ns)
        return found

    @cached_property
    def thread_rows(self) -> dict[int, array[int]]:
        """By thread the rows of its states, in order of time; they do not overlap."""
        table = self.model.states
        found: dict[int, array[int]] = defaultdict(lambda: array("i"))
        own = marks(self.model, lambda state: state & STATE_MASK not in (TASK_WAIT, HOLD))
        for row in self.model.trace.engine.longer(table.start_ns, table.end_ns, own, 0):
            found[table.who[row]].append(row)
        return found

    @cached_property
    def loop_slices(self) -> dict[int, array[int]]:
        """By loop what it ran, in order of begin."""
        slices, mark = self.model.trace.slices, self.kinds((LOOP_TASK, LOOP_CALLBACK, SELECT))
        found: dict[int, array[int]] = defaultdict(lambda: array("i"))
        for i in self.model.trace.engine.longer(slices.start_ns, slices.end_ns, mark, 0):
            found[self.model.lane[i]].append(i)
        return found

    def split(self, thread: int, start_ns: int, end_ns: int) -> Split:
        """What the thread did in the interval; empty where nothing is known."""
        table = self.model.states
        found = Split(Counter(), Counter())
        rows = self.thread_rows[thread]
        first = bisect_right(rows, start_ns, key=table.end_ns.__getitem__)
        for at in range(first, len(rows)):
            row = rows[at]
            ns = min(table.end_ns[row], end_ns) - max(table.start_ns[row], start_ns)
            if table.start_ns[row] >= end_ns:
                break
            state = table.state[row] & STATE_MASK
            found.states[state] += ns
            if state in (IO, SLEEP):
                found.calls[table.row[row]] += ns
        return found

    def collecting_ns(self, thread: int, start_ns: int, end_ns: int) -> int:
        """How long the thread ran the garbage collector, time off its CPU not counted."""
        track = self.model.threads[thread]
        runs = self.collections.get((self.model.thread_process[thread], track.tid), [])
        first = bisect_right(runs, start_ns, key=lambda run: run.end_ns)
        total = 0
        for at in range(first, len(runs)):
            run = runs[at]
            if run.start_ns >= end_ns:
                break
            since, until = max(run.start_ns, start_ns), min(run.end_ns, end_ns)
            lost = self.split(thread, since, until).of(NOT_ITS_FAULT)
            total += until - since - lost
        return total

    @cached_property
    def usual_call_ns(self) -> Column:
        """By row of call the median duration."""
        table, engine = self.model.states, self.model.trace.engine
        rows = len(table.call_name)
        every = memoryview(array("i", range(rows)))
        calls = keys(self.model, _begins_call, table.row, every)
        return engine.grouped_stats(table.start_ns, table.busy_end_ns, calls, rows).p50

    @cached_property
    def hot_places(self) -> list[Place]:
        """By stack of the samples the line of the program it was in."""
        return places(self.model)

    @cached_property
    def samples(self) -> dict[int, list[tuple[int, int]]]:
        """By tid (time, stack) of its CPU samples, in order of time."""
        events, found = self.model.trace.events, defaultdict(list)
        columns = (events.sample_tid, events.sample_time_ns, events.sample_stack)
        for tid, time_ns, stack in zip(*columns, strict=True):
            found[tid].append((time_ns, stack))
        for rows in found.values():
            rows.sort()
        return found

    def stacks(self, tid: int, intervals: Iterable[tuple[int, int]]) -> list[int]:
        """The stacks of a thread's samples in the intervals."""
        rows, found = self.samples.get(tid, []), []
        for start_ns, end_ns in intervals:
            first = bisect_left(rows, (start_ns, -1))
            found += [stack for _, stack in rows[first : bisect_left(rows, (end_ns, -1))]]
        return found

    def call(self, row: int) -> tuple[str, str]:
        """Name and site of a blocking call."""
        table, text = self.model.states, self.model.trace.text
        name = text(table.call_name[row]).removeprefix(s.IO_PREFIX)
        return name, text(table.call_site[row])

    @cached_property
    def long_loop_slices(self) -> memoryview:
        """Slices of loops of 10 ms or more: steps of tasks, callbacks, select."""
        slices, mark = self.model.trace.slices, self.kinds((LOOP_TASK, LOOP_CALLBACK, SELECT))
        longer = self.model.trace.engine.longer
        return longer(slices.start_ns, slices.end_ns, mark, _LONG_NS)

    def kinds(self, wanted: tuple[int, ...]) -> memoryview:
        """By slice 1 if it is of such a kind."""
        table = bytes(int(kind in wanted) for kind in range(256))
        return memoryview(bytes(self.model.owners.kind).translate(table))

    def on_loop_at(self, lane: int, time_ns: int) -> int:
        """The innermost slice of the loop at a moment; -1 none."""
        slices, rows = self.model.trace.slices, self.loop_slices[lane]
        at = bisect_right(rows, time_ns, key=slices.start_ns.__getitem__) - 1
        i = rows[at] if at >= 0 else -1
        while i >= 0 and slices.end_ns[i] <= time_ns:
            i = slices.parent[i]
        return i

    def runs(self, i: int) -> tuple[str, str, int]:
        """Name, site and task id (-1 none) of what a slice of a loop runs."""
        model = self.model
        owner = model.owners.owner[i]
        if model.owners.kind[i] == LOOP_TASK:
            name, site = model.coroutine(model.owners.task_group[owner])
            return name, site, model.owners.task_id[owner]
        if model.owners.kind[i] == LOOP_CALLBACK:
            owned, text = model.owners, model.trace.text
            return text(owned.call_name[owner]), text(owned.call_site[owner]), -1
        return s.SELECT, "", -1

    def behind(self, intervals: Sequence[Interval]) -> list[Behind]:
        """By interval, who was ready meanwhile. Intervals of a loop do not overlap."""
        model, owned = self.model, self.model.owners
        if not intervals:
            return []
        ready = model.task_keys(READY)
        first = len(owned.group_head) + len(owned.call_head) + 3
        order = sorted(range(len(intervals)), key=lambda n: intervals[n].start_ns)
        delays = model.trace.engine.attribute(
            model.trace.slices.start_ns,
            model.trace.slices.end_ns,
            owned.kind,
            owned.owner,
            ready,
            model.lane,
            owned.task_group,
            memoryview(array("q", (intervals[n].start_ns for n in order))),
            memoryview(array("q", (intervals[n].end_ns for n in order))),
            memoryview(array("i", (intervals[n].lane for n in order))),
            memoryview(array("q", (first + n for n in order))),
            len(owned.group_head),
            len(owned.call_head),
            len(owned.task_id),
            len(model.loops),
        )
        total, tasks = Counter[int](), Counter[int]()
        for who, ns in zip(delays.who, delays.total, strict=True):
            if who >= first:
                total[who - first] += ns
                tasks[who - first] += 1
        return [Behind(total[n], tasks[n]) for n in range(len(intervals))]

    def awaits(self, tasks: set[int]) -> dict[int, list[int]]:
        """By task the slices of its awaits, in order of time."""
        model, slices, found = self.model, self.model.trace.slices, defaultdict(list)
        kinds, owner = self.kinds((AWAIT,)), model.owners.owner
        for i in model.trace.engine.longer(slices.start_ns, slices.end_ns, kinds, 0):
            if owner[i] in tasks:
                found[owner[i]].append(i)
        return found

    def awaited(self, i: int) -> tuple[str, str]:
        """What an await is for ("await sleep") and its site."""
        model = self.model
        what = model.trace.text(model.owners.code[i])
        if i == model.owners.task_head[model.owners.owner[i]]:
            return what, ""  # the site of a first slice is the task's own
        return what, str(model.trace.args(model.trace.slices.event[i]).get(s.ARG_SITE, ""))

    def rows_of(self, states: Iterable[int], at_least_ns: int) -> memoryview:
        """Rows of the states table of such states that last so long."""
        table, wanted = self.model.states, frozenset(states)
        mark = marks(self.model, lambda state: int(state & STATE_MASK in wanted))
        return self.model.trace.engine.longer(table.start_ns, table.end_ns, mark, at_least_ns)
