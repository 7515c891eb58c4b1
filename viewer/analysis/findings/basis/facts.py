"""What findings consist of, and what several of them compute from a model."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.alike import Alike
from viewer.analysis.causes.samples import NO_SAMPLES, Sampled, sampled
from viewer.analysis.findings.basis.hot import places
from viewer.analysis.gc import Collectors
from viewer.analysis.health import Health, health
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.jobs import Job
from viewer.analysis.ledger.ledger import Interval
from viewer.analysis.ledger.resource import Windows, parts
from viewer.analysis.ledger.rows import longs
from viewer.analysis.locks import LockRow, lock_rows
from viewer.analysis.profiles.cpu import stack_places
from viewer.analysis.profiles.profile import Place
from viewer.analysis.resources.reading import Reading
from viewer.analysis.rows import Rows
from viewer.analysis.states import begins_call, keys, numbers, stack_of
from viewer.analysis.tasks import By, TaskRow, callbacks, ready_behind, task_rows
from viewer.analysis.threads import ThreadRow, thread_rows
from viewer.trace.columns import (
    AWAIT,
    GIL_WAIT,
    IDLE_WAIT,
    IO,
    LOCK_WAIT,
    LOOP_CALLBACK,
    LOOP_TASK,
    NATIVE,
    OFF_CPU,
    PREEMPTED,
    SELECT,
    SLEEP,
    STATE_MASK,
    THREAD_RUNNING,
    Column,
)
from viewer.trace.garbage import Collection
from viewer.trace.model import Model
from viewer.trace.sites import imports, innermost
from viewer.trace.told import Told
from viewer.words import stems

BLOCKED = (IO, SLEEP, LOCK_WAIT, IDLE_WAIT)  # in a call of the program, off the CPU
COMPUTING = (THREAD_RUNNING, NATIVE)
NOT_ITS_FAULT = (PREEMPTED, OFF_CPU, GIL_WAIT)  # the kernel's or another thread's doing
LOST_NS = 500_000_000  # what anybody notices: most faults lose so much, or are not told
_LONG_NS = 10_000_000
_TELLING_NS = 1_000_000
_SOCKET = "/socket.py:"
_WAKES = " _ThreadWakeup.wakeup\n"
_TRANSPORTS = ("/asyncio/selector_events.py:", "/asyncio/unix_events.py:", "/trio/_socket.py:",
               "/gevent/_socket")  # fmt: skip
_BEGINS_PROCESS = "subprocess.fork_exec"
_PATIENCE = 4  # without kernel data a pause may be a preemption, so signs must be clearer


class Evidence(NamedTuple):
    """A slice of the trace that shows the fault. Ids are -1 where there is none."""

    start_ns: int
    duration_ns: int
    track: str
    task: int = -1
    tid: int = -1
    site: str = ""
    lock: int = -1
    pid: int = 0


class Finding(NamedTuple):
    """A fault. `severity_ns` is the time it cost, summed over all who waited; `next_step` says
    what to do, "" where the text ends with it. `behind` is the line at which those who made
    others wait mostly waited themselves. `processes`: of how many the text itself tells."""

    finding: str
    severity_ns: int
    text: str
    evidence: Evidence
    next_step: str = ""
    behind: str = ""
    processes: int = 1
    about: frozenset[str] = frozenset()  # lines or threads that another may tell of, too


class Behind(NamedTuple):
    """How long tasks were ready, or overdue, during an interval, in total, and how many."""

    ns: int
    tasks: int
    how: str = "ready"


@dataclass(frozen=True, slots=True)
class Split:
    """What a thread did in a time: ns by state, by call, by (state, name, site) of a wait."""

    states: Counter[int] = field(default_factory=Counter)
    calls: Counter[int] = field(default_factory=Counter)
    waits: Counter[tuple[int, str, str]] = field(default_factory=Counter)

    def of(self, states: Iterable[int]) -> int:
        return sum(self.states[state] for state in states)

    def add(self, other: "Split") -> None:
        self.states.update(other.states)
        self.calls.update(other.calls)
        self.waits.update(other.waits)


class Facts(Reading):
    """A model, and the tables made from it on their first use."""

    def __init__(
        self,
        model: Model,
        *,
        tasks: Rows[TaskRow] | None = None,
        threads: Rows[ThreadRow] | None = None,
        locks: Rows[LockRow] | None = None,
    ) -> None:
        """Takes tables that exist already; tasks are by coroutine."""
        super().__init__(model)
        for name, rows in (("tasks", tasks), ("threads", threads), ("locks", locks)):
            if rows is not None:
                self.__dict__[name] = rows

    @cached_property
    def tasks(self) -> Rows[TaskRow]:
        return task_rows(self.model, By.CORO)

    @cached_property
    def behind_callbacks(self) -> Rows[TaskRow]:
        """The coroutines that are ready while callbacks run for half of the time that they
        are ready, and for half a second: no callback is as much of what delays the others."""
        ready, least = self.tasks.measure("ready_ns"), LOST_NS
        if max(ready, default=0) < least:
            return Rows()
        behind = ready_behind(self.model, callbacks(self.model))
        return self.tasks.only(lambda n: behind[n] * 2 >= ready[n] >= least)

    @cached_property
    def threads(self) -> Rows[ThreadRow]:
        return thread_rows(self.model)

    @cached_property
    def pools(self) -> dict[tuple[int, str], list[int]]:
        """By (pid, stem) the threads whose names differ only in a number, as in `threads`."""
        model, found = self.model, defaultdict[tuple[int, str], list[int]](list)
        names = model.thread_names
        likes = stems(names)
        alike = Alike(model, [i for i in self.threads.numbers if likes[i] != names[i]], likes)
        for group, name in enumerate(alike.called):
            members = alike.members(group)
            found[model.pid(model.thread_process[members[0]]), name] += members
        return found

    @cached_property
    def locks(self) -> Rows[LockRow]:
        return lock_rows(self.model)

    @cached_property
    def health(self) -> Health:
        return health(self.model)

    @cached_property
    def waker_ids(self) -> Column:
        """By slice the id of the task that its begin says it was woken by; -2 of none."""
        trace = self.model.trace
        return Told(trace, trace.slices.event).numbers(s.ARG_WAKER_TASK, -2)

    @cached_property
    def patience(self) -> int:
        """The factor of thresholds of a thread's time where there is no kernel data."""
        disabled = {hook for hook, _ in self.health.disabled}
        knows = "sched" in self.health.signals and "sched" not in disabled
        return 1 if knows and "gil" in self.health.signals else _PATIENCE

    @cached_property
    def lock_of(self) -> dict[tuple[int, int], int]:
        """By (process, id) the lock."""
        table = self.model.states
        known = zip(table.lock_process, table.lock_id, strict=True)
        return {key: lock for lock, key in enumerate(known)}

    def waits_of(self, row: LockRow) -> tuple[list[int], list[int], list[int]]:
        """The waits for a lock, in order of begin: rows of States, begins, ends."""
        return self.ledger.waits_for(self.lock_of[row.process, row.lock])

    def awaits_job(self, job: Job) -> str:
        """Where the task that submitted a job awaits its result; "" unknown."""
        if job.submitter is None or job.submitter[0] != "task":
            return ""
        rows = self.ledger.rows_of_tasks
        then = rows.begun(job.submitter[1], job.submitted_ns)
        return self.ledger.site_of_await(rows.row[then[0]]) if then else ""

    def started_at(self, thread: int) -> str:
        """The user's line, else a library's, that started a thread; "" unknown."""
        _, event = self.ledger.starters.get(thread, (-1, -1))
        args = self.model.trace.args(event) if event >= 0 else {}
        own = innermost(str(args.get(s.ARG_STACK, "")).split("\n"))
        return own or str(args.get(s.ARG_SITE, ""))

    @cached_property
    def collections(self) -> dict[tuple[int, int], Column]:
        """By (process, tid) the numbers of its collections, in order of time."""
        return Collectors.of(self.model).by_thread

    def split(self, thread: int, windows: Windows) -> Split:
        """What the thread did in these times; empty where that is unknown."""
        table, ledger = self.model.states, self.ledger
        found = Split()
        carved = ledger.did(thread, windows)
        for key, ns in zip(carved.key, carved.total, strict=True):
            row = ledger.row_that_did(key)
            if row < 0:
                continue
            state = table.state[row] & STATE_MASK
            found.states[state] += ns
            if state in (IO, SLEEP):
                found.calls[table.row[row]] += ns
            elif state in (LOCK_WAIT, IDLE_WAIT):
                found.waits[state, *self.wait(row)] += ns
        return found

    def collecting_ns(self, thread: int, windows: Windows) -> int:
        """How long the thread ran the garbage collector, without time off its CPU."""
        carved = self.ledger.collecting.carve(thread, windows)
        return sum(
            collecting.ns - self.split(thread, collecting).of(NOT_ITS_FAULT)
            for key, collecting in parts(carved)
            if key >= 0
        )

    def meanwhile_ns(
        self, runs: Sequence[Collection], threads: Container[int], states: Container[int]
    ) -> Sequence[int]:
        """By collection, how long these threads were in such states, summed over them."""
        table, every = self.model.states, range(len(self.model.threads))
        within = numbers(int(i in threads) - 1 for i in every)
        which = keys(self.model, lambda state: state & STATE_MASK in states, table.who, within)
        return self.model.trace.engine.meet(
            table.start_ns,
            table.end_ns,
            which,
            longs(run.start_ns for run in runs),
            longs(run.end_ns for run in runs),
            numbers([0] * len(runs)),
            1,
        ).total

    @cached_property
    def usual_call_ns(self) -> Column:
        """By row of call the median duration."""
        table, engine = self.model.states, self.model.trace.engine
        rows = len(table.call_name)
        every = numbers(range(rows))
        calls = keys(self.model, begins_call, table.row, every)
        return engine.grouped_stats(table.start_ns, table.busy_end_ns, calls, rows).p50

    @cached_property
    def quickest_start_ns(self) -> dict[int, int]:
        """By row of call, of those that begin a process, the shortest duration."""
        table, found = self.model.states, dict[int, int]()
        calls = range(len(table.call_name))
        begins = {call for call in calls if self.call(call)[0] == _BEGINS_PROCESS}
        for row in self.rows_of((IO,), 0) if begins else ():
            if (call := table.row[row]) in begins:
                ns = table.busy_end_ns[row] - table.start_ns[row]
                found[call] = min(ns, found.get(call, ns))
        return found

    @cached_property
    def of_transports(self) -> set[int]:
        """Rows of calls, of those that took a millisecond, by which a loop itself accepts,
        reads or writes, or a pool of processes is woken: that never blocks; a long one is the
        kernel's or the CPU's."""
        table, found = self.model.states, dict[int, bool]()
        for row in self.rows_of((IO,), _TELLING_NS):
            if (call := table.row[row]) not in found:
                stack = stack_of(self.model, row)
                frames = (frame for frame in stack.split("\n") if _SOCKET not in frame)
                innermost = next(frames, "")
                found[call] = _WAKES in stack or any(f in innermost for f in _TRANSPORTS)
        return {call for call, is_its in found.items() if is_its}

    @cached_property
    def hot_places(self) -> list[Place]:
        """By stack of the samples, the line of the program."""
        return places(self.model)

    @cached_property
    def samples(self) -> dict[int, Sampled]:
        """By tid its CPU samples."""
        tids = self.model.trace.events.sample_tid
        keys = self.model.trace.engine.pairs(tids, tids)
        found = zip(keys.head, sampled(self.model, keys), strict=True)
        return {tids[head]: its for head, its in found}

    def samples_of(self, tid: int) -> Sampled:
        return self.samples.get(tid, NO_SAMPLES)

    @cached_property
    def importing(self) -> list[bool]:
        """By stack of the samples, whether something is being imported."""
        return [
            any(imports(place.path) for place in stack) for stack in stack_places(self.model)
        ]

    def stacks(self, tid: int, intervals: Iterable[tuple[int, int]]) -> list[int]:
        """The stacks of a thread's samples in the intervals."""
        rows, found = self.samples_of(tid), list[int]()
        for start_ns, end_ns in intervals:
            low, high = (bisect_left(rows.time_ns, at_ns) for at_ns in (start_ns, end_ns))
            found += rows.stack[low:high]
        return found

    @cached_property
    def long_loop_slices(self) -> memoryview:
        """Slices of loops of 10 ms or more: steps of tasks, callbacks, select."""
        slices, mark = self.model.trace.slices, self.kinds((LOOP_TASK, LOOP_CALLBACK, SELECT))
        longer = self.model.trace.engine.longer
        return longer(slices.start_ns, slices.end_ns, mark, _LONG_NS)

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

    def during(self, intervals: Sequence[Interval]) -> list[Behind]:
        """By interval of a loop, the tasks that were ready meanwhile."""
        if not intervals:
            return []
        met = self.ledger.during(intervals)
        return [Behind(*row) for row in zip(met.total, met.count, strict=True)]

    def life_ns(self, task: int) -> int:
        """From a task's first slice to the end of its last one."""
        rows, places = self.ledger.rows_of_tasks, self.ledger.rows_of_tasks.places(task)
        return rows.end_ns[places[-1]] - rows.start_ns[places[0]] if places else 0

    def awaits(self, tasks: set[int]) -> dict[int, list[int]]:
        """By task the slices of its awaits, in order of time."""
        model, slices, found = self.model, self.model.trace.slices, defaultdict(list)
        kinds, owner = self.kinds((AWAIT,)), model.owners.owner
        for i in model.trace.engine.longer(slices.start_ns, slices.end_ns, kinds, 0):
            if owner[i] in tasks:
                found[owner[i]].append(i)
        return found

    def evidence_of(self, row: int, ns: int = 0) -> Evidence:
        """A call or sleep of a thread (a row of States), or so much of it."""
        table = self.model.states
        who: Who = ("thread", table.who[row])
        site = self.call(table.row[row])[1]
        return self.evidence(who, table.start_ns[row], ns or self.row_ns(row), site)

    def evidence_of_await(self, i: int) -> Evidence:
        """What a task awaits (a slice)."""
        who: Who = ("task", self.model.owners.owner[i])
        start_ns = self.model.trace.slices.start_ns[i]
        return self.evidence(who, start_ns, self.slice_ns(i), self.awaited(i)[1])

    def evidence(
        self, who: Who, start_ns: int, duration_ns: int, site: str, *, track: str = ""
    ) -> Evidence:
        """Of a thread or task, on the track of its own name if no other is given."""
        model, (kind, which) = self.model, who
        is_task = kind == "task"
        process = model.owners.task_process if is_task else model.thread_process
        name = model.task_name(which) if is_task else model.thread_names[which]
        return Evidence(
            start_ns,
            duration_ns,
            track or name,
            model.owners.task_id[which] if is_task else -1,
            -1 if is_task else model.threads[which].tid,
            site,
            pid=model.pid(process[which]),
        )
