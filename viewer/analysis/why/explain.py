"""Why one wait took as long as it did: its causes, and what had to finish before."""

from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum

from tracer import schema as s
from viewer.analysis.causes.part import Cause, Kind, merged
from viewer.analysis.causes.tree import Tree, unknown
from viewer.analysis.ledger.resource import window
from viewer.analysis.states import state_of_slice
from viewer.analysis.why.path import Step, critical_path
from viewer.trace.columns import (
    AWAIT,
    FAILED,
    GIL_WAIT,
    IDLE_WAIT,
    LOCK_WAIT,
    OFF_CPU,
    PREEMPTED,
    READY,
    STATE_MASK,
)
from viewer.trace.model import Model


class What(StrEnum):
    """Kinds of waits."""

    READY = "ready"
    AWAIT = "await"
    GIL = "gil"
    LOCK = "lock"
    IDLE = "idle"  # a thread's wait for what nobody has: a queue, a condition, a result
    PREEMPTED = "preempted"
    OFF_CPU = "off cpu"


_STATES = {
    GIL_WAIT: What.GIL,
    LOCK_WAIT: What.LOCK,
    IDLE_WAIT: What.IDLE,
    PREEMPTED: What.PREEMPTED,
    OFF_CPU: What.OFF_CPU,
}
_OF_TASKS = (What.READY, What.AWAIT)


@dataclass(frozen=True, slots=True)
class Wait:
    """One wait. `row` is a slice of the trace for READY and AWAIT, else a row of States.

    Times are those of the trace's clock, as in the columns.
    """

    what: What
    row: int
    start_ns: int
    end_ns: int

    @property
    def ns(self) -> int:
        return self.end_ns - self.start_ns

    @property
    def of_task(self) -> bool:
        return self.what in _OF_TASKS


@dataclass(frozen=True, slots=True)
class Waiter:
    """Who waited; of a task `coro` and `task`, of a thread `tid`, the others "" and -1.

    `name` is the task's or thread's own. `site` is the coroutine function's.
    """

    name: str
    coro: str
    site: str
    task: int
    tid: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """`causes` add up to the wait, most first; `path` begins with the latest step.

    `subject` is what was waited for: an await's or a lock's kind; `site` is where.
    `is_over` is False of a wait that the trace's end cut, `acquired` of one that was given up:
    a lock that was not got, an await that ended with the task.
    """

    wait: Wait
    waiter: Waiter
    subject: str
    site: str
    is_over: bool
    acquired: bool
    causes: tuple[Cause, ...]
    path: tuple[Step, ...]
    base_ns: int  # the trace's beginning: what times are told from


def wait_of_slice(model: Model, i: int) -> Wait | None:
    """The wait that a slice of the trace is; None of one that is none."""
    slices = model.trace.slices
    start = slices.start_ns[i]
    if model.owners.kind[i] in (READY, AWAIT):
        what = What.READY if model.owners.kind[i] == READY else What.AWAIT
        return Wait(what, i, start, slices.end_ns[i])
    row = state_of_slice(model, i)
    return wait_of_row(model, row) if row >= 0 else None


def wait_of_row(model: Model, row: int) -> Wait | None:
    """The wait that a row of States is; None of one that is none, or a task's."""
    table = model.states
    what = _STATES.get(table.state[row] & STATE_MASK)
    return Wait(what, row, table.start_ns[row], table.end_ns[row]) if what else None


def explain(model: Model, wait: Wait, tree: Tree | None = None) -> Explanation:
    """The causes of a wait and its critical path. A `tree` saves making its indexes again."""
    tree = tree or Tree(model)
    tree.looked_at = 0
    causes = _causes(tree, wait)
    return Explanation(
        wait,
        waiter_of(tree, wait),
        *_subject(tree, wait),
        _is_over(model, wait),
        _acquired(tree, wait),
        causes,
        critical_path(tree, wait.of_task, wait.row),
        model.start_ns,
    )


def _causes(tree: Tree, wait: Wait) -> tuple[Cause, ...]:
    model, windows = tree.model, window(wait.start_ns, wait.end_ns)
    if not wait.ns:
        return ()
    if wait.of_task:
        task = model.owners.owner[wait.row]
        path = (("task", task),)
        if wait.what is What.READY:
            return tree.loop(model.lane[wait.row], windows, path)
        return tree.awaited(task, wait.row, windows, path)
    label = tree.labels.state(wait.row)
    if label.on is not None:
        return tree.behind(label.on, windows, (("thread", model.states.who[wait.row]),))
    told = wait.what is What.PREEMPTED
    return merged([Cause(Kind.PREEMPTED, wait.ns)]) if told else unknown(windows)


def waiter_of(tree: Tree, wait: Wait) -> Waiter:
    model = tree.model
    if wait.of_task:
        task = model.owners.owner[wait.row]
        coro, site = model.coroutine(model.owners.task_group[task])
        return Waiter(
            tree.lanes.name_of_task(task), coro, site, model.owners.task_id[task], -1
        )
    thread = model.states.who[wait.row]
    return Waiter(model.thread_names[thread], "", "", -1, model.threads[thread].tid)


def _subject(tree: Tree, wait: Wait) -> tuple[str, str]:
    model, text = tree.model, tree.model.trace.text
    if wait.what is What.READY:
        return "", ""
    if wait.what is What.AWAIT:
        name = text(model.trace.events.name[model.trace.slices.event[wait.row]])
        return name.removeprefix(s.AWAIT_PREFIX), tree.lanes.site_of_await(wait.row)
    table = model.states
    site = text(table.site[wait.row])
    if wait.what in (What.LOCK, What.IDLE):
        name = tree.lanes.name_of(wait.row)
        return name.removeprefix(s.LOCK_WAIT_PREFIX), site
    return "", site


def _is_over(model: Model, wait: Wait) -> bool:
    if wait.of_task:
        return not model.trace.slices.unfinished[wait.row]
    process = model.thread_process[model.states.who[wait.row]]
    return process < 0 or wait.end_ns < model.trace.processes[process].end_ns


def _acquired(tree: Tree, wait: Wait) -> bool:
    """A wait for a lock says so itself; an await that was cancelled was the task's last."""
    row, owned = wait.row, tree.model.owners
    if wait.what is What.AWAIT:
        task = owned.owner[row]
        mine = tree.lanes.rows_of_task(task)
        is_last = not any(owned.kind[i] == AWAIT for i in mine[bisect_right(mine, row) :])
        if is_last and tree.ledger.how_it_ended(task) in (s.CANCELLED, s.DESTROYED):
            return False
        row = tree.lanes.task_waits.get(wait.row, -1)
    is_wait = wait.what in (What.AWAIT, What.LOCK, What.IDLE)
    return not (is_wait and row >= 0 and tree.model.states.state[row] & FAILED)
