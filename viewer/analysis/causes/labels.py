"""The names of the pieces of a lane, and the lanes that explain them further."""

from functools import cached_property
from typing import NamedTuple

from viewer.analysis.causes.children import Children
from viewer.analysis.causes.childwaits import Child
from viewer.analysis.causes.elsewhere import Elsewhere
from viewer.analysis.causes.lanes import Lanes
from viewer.analysis.causes.part import Kind
from viewer.analysis.ledger.holders import Holders
from viewer.analysis.ledger.rows import GENERATIONS, Runs
from viewer.analysis.processes.jobs import Job
from viewer.analysis.states import call_of, wait_of
from viewer.analysis.tasks import occupant
from viewer.trace.columns import (
    FAILED,
    GIL_WAIT,
    HOLDING,
    IDLE_WAIT,
    IO,
    LOCK_WAIT,
    NATIVE,
    OFF_CPU,
    PREEMPTED,
    SLEEP,
    STATE_MASK,
    THREAD_RUNNING,
)
from viewer.trace.timelines import NOBODY, UNKNOWN
from viewer.words import place

_NAMED = (Kind.TASK, Kind.CALLBACK)

STATES = {
    THREAD_RUNNING: Kind.COMPUTING,
    NATIVE: Kind.NATIVE,
    PREEMPTED: Kind.PREEMPTED,
    OFF_CPU: Kind.OFF_CPU,
    GIL_WAIT: Kind.GIL_WAIT,
    LOCK_WAIT: Kind.LOCK_WAIT,
    IDLE_WAIT: Kind.IDLE_WAIT,
    IO: Kind.IO,
    SLEEP: Kind.SLEEP,
}

# The lane that explains a piece: "thread", "task", "loop", "gil" (of a process), "lock"; or
# whom the wait itself names: "owner" (a row of States' owners), "waker" (a thread); or, of a
# wait that nobody ended, "vain": the lock that it was for. "child": a row of States that
# waited for the end of a process; "job": a job of a pool of processes; "idle": one that its
# worker waited for; "message": what another process wrote.
type On = tuple[str, int]


class Label(NamedTuple):
    """Pieces with equal labels are one cause."""

    kind: Kind
    who: str = ""
    site: str = ""
    holds_gil: bool = False
    on: On | None = None


class Labels:
    """The labels of pieces, by lane."""

    def __init__(self, lanes: Lanes) -> None:
        self.lanes, self.model, self.ledger = lanes, lanes.model, lanes.ledger
        self.holders = Holders(lanes.ledger)
        self.elsewhere = Elsewhere.of(self.model)
        self.children = Children(lanes)

    def on_loop(self, key: int) -> Label:
        if key == NOBODY:
            return Label(Kind.LOOP)
        if key == UNKNOWN:
            return Label(Kind.UNKNOWN)
        name, kind, site = occupant(self.model, key)
        if kind == Kind.GC:
            return self.collection(key - self.ledger.first_collection)
        return Label(Kind(kind), *((name, site) if kind in _NAMED else ()))

    def collection(self, key: int) -> Label:
        if key < 0:
            return Label(Kind.UNKNOWN)
        name = f"gen {key % GENERATIONS}"
        if key < GENERATIONS:
            return Label(Kind.GC, name)
        sites = self._collect_calls.get(key, set())
        where = f" at {place(min(sites))}" if len(sites) == 1 and all(sites) else ""
        return Label(Kind.GC, f"{name}, `gc.collect()` called{where}")

    @cached_property
    def _collect_calls(self) -> dict[int, set[str]]:
        """By kind of collection the sites that called gc.collect()."""
        found: dict[int, set[str]] = {}
        kinds, sites = Runs.of(self.model).kind, self.model.collections.called_at
        for kind, site in zip(kinds, sites, strict=True):
            if site is not None:
                found.setdefault(kind, set()).add(site)
        return found

    def gil(self, key: int) -> Label:
        if 0 <= key < len(self.model.threads):
            return self.thread(key)
        return Label(Kind.FREE if key == NOBODY else Kind.UNKNOWN)

    def thread(self, thread: int, kind: Kind = Kind.THREAD) -> Label:
        return Label(kind, self.lanes.name_of_thread(thread), on=("thread", thread))

    def unended(self, task: int, i: int) -> Label | None:
        """The task that lives at the end, for which an open await of a task is (slice i)."""
        child = self.children.awaited(task, i)
        if child < 0:
            return None
        return Label(Kind.UNENDED, self.lanes.name_of_task(child), on=("task", child))

    def child(self, row: int) -> Label:
        """The process for whose end a row of States waited."""
        return self.child_label(self.elsewhere.child_of_row[row])

    def child_label(self, child: Child) -> Label:
        on = ("process", child.process) if child.process >= 0 else None
        return Label(Kind.CHILD, child.name, on=on)

    def all_of_job(self, number: int) -> Label:
        job = self.elsewhere.jobs[number]
        return Label(Kind.JOB, job.name, job.site, on=("job", number))

    def phase(self, kind: Kind, job: Job) -> Label:
        """A part of what became of a job."""
        if kind is not Kind.JOB:
            return Label(kind)
        worker = self.elsewhere.family.name(job.worker)
        on = ("process", job.worker) if job.worker in self.elsewhere.family.members else None
        return Label(kind, f"{job.name} [{worker}]" if worker else job.name, job.site, on=on)

    def until(self, on: On) -> tuple[Label, int, Label]:
        """Who submitted the job that an idle worker waited for, or wrote a message; when;
        and what the wait was for then."""
        if on[0] == "idle":
            job = self.elsewhere.jobs[on[1]]
            label = self.thread(job.thread, Kind.SUBMITTER)._replace(site=job.site)
            return label, job.submit_ns, Label(Kind.QUEUED)
        written = self.elsewhere.written(on[1])
        label = self.thread(written.thread, Kind.WRITER)._replace(site=written.site)
        return label, written.at_ns, Label(Kind.MESSAGE)

    def message(self, number: int) -> Label:
        """Who wrote a message."""
        on = "message", number
        return self.until(on)[0]._replace(on=on)

    def hold(self, key: int) -> Label:
        if 0 <= key < len(self.model.states.owner_id):
            return self.owner(key)
        return Label(Kind.FREE if key == NOBODY else Kind.UNKNOWN)

    def hold_of_row(self, row: int) -> Label:
        """As `hold`, by the row: a task may have the lock that its thread took."""
        holds, table = self.ledger.holds, self.model.states
        if row < 0 or row >= len(table.owner):
            return Label(Kind.FREE if row == NOBODY else Kind.UNKNOWN)
        task = self.holders.task(row)
        if task < 0:
            return self.hold(holds.who[row])
        name, taken = self.lanes.name_of_task(task), self.model.trace.text(table.site[row])
        return Label(Kind.OWNER, name, taken, on=("task", task))

    def owner(self, owner: int) -> Label:
        table, text = self.model.states, self.model.trace.text
        id_, process = table.owner_id[owner], table.owner_process[owner]
        name, site = text(table.owner_name[owner]), text(table.owner_site[owner])
        if table.owner_is_task[owner]:
            task = self.ledger.task_of(process, id_)
            if task >= 0:
                name = self.lanes.name_of_task(task)
                return Label(Kind.OWNER, name, site, on=("task", task))
            return Label(Kind.OWNER, name or f"task {id_}", site)
        thread = self.ledger.thread(process, id_) if id_ >= 0 else -1
        if thread >= 0:
            name = self.lanes.name_of_thread(thread)
            return Label(Kind.OWNER, name, site, on=("thread", thread))
        return Label(Kind.OWNER, name or (f"thread {id_}" if id_ >= 0 else "unknown"), site)

    def state(self, row: int) -> Label:
        if row < 0:
            return Label(Kind.UNKNOWN)
        table = self.model.states
        state = table.state[row]
        kind = STATES[state & STATE_MASK]
        holds = bool(state & HOLDING) and kind is not Kind.COMPUTING
        if kind in (Kind.IO, Kind.SLEEP):
            who, site = call_of(self.model, table.row[row])
            on = self.elsewhere.of_row(row)
            return Label(kind, who if kind is Kind.IO else "", site, holds, on)
        if kind in (Kind.LOCK_WAIT, Kind.IDLE_WAIT):
            # Several calls may wait for a lock: the name is that of the wait.
            who, site = wait_of(self.model, row)
            return Label(kind, who, site, holds, self.behind(row))
        if kind is Kind.GIL_WAIT:
            process = self.model.thread_process[table.who[row]]
            return Label(kind, on=("gil", process))
        return Label(kind, holds_gil=holds)

    def behind(self, row: int) -> On | None:
        """What explains a lock wait (a row of States): at best the holds of the lock."""
        table = self.model.states
        if self.ledger.holds.has(table.row[row]):
            return "lock", table.row[row]
        if table.owner[row] >= 0:
            return "owner", table.owner[row]
        if table.waker[row] >= 0:
            job = self.elsewhere.job_before(table.waker[row], self.ledger.released_ns(row))
            return ("job", job) if job >= 0 else ("waker", table.waker[row])
        if (elsewhere := self.elsewhere.of_row(row)) is not None:
            return elsewhere
        is_open = self.model.trace.slices.unfinished[table.slice[row]]
        is_vain = (table.state[row] & FAILED or is_open) and table.row[row] >= 0
        return ("vain", table.row[row]) if is_vain else None
