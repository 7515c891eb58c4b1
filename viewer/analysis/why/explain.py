"""Why one wait took as long as it did: its causes, and what had to happen first."""

from dataclasses import dataclass

from viewer.analysis.causes.labels import Label, On
from viewer.analysis.causes.part import Cause, Kind, merged, unknown
from viewer.analysis.causes.tree import Tree
from viewer.analysis.ledger.resource import window
from viewer.analysis.why.path import critical_path
from viewer.analysis.why.slots import who_had
from viewer.analysis.why.step import Step
from viewer.analysis.why.waits import (
    AT_WORK,
    CHILDREN,
    INSIDE,
    Wait,
    What,
    acquired,
    is_over,
    site,
    subject,
)
from viewer.trace.columns import FAILED
from viewer.trace.model import Model

_IN_VAIN = (Kind.TIMEOUT, Kind.CANCELLED)  # nobody ended it before
# What ends a wait in which the thread stands in a call.
_ENDED_BY = {What.CALL: Kind.IO, What.SLEEP: Kind.TIMER}


@dataclass(frozen=True, slots=True)
class Waiter:
    """Who waited. A task has `coro` and `task`, a thread `tid`; the others are "" and -1.

    `name` is the task's own, or the thread's, with its process where there are several; `of`
    is a task's process then. `site` is the coroutine function's.
    """

    name: str
    coro: str
    site: str
    task: int
    tid: int
    process: int
    of: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """`causes` add up to the wait, the largest first; `path` begins with the latest step.

    `subject` is what the wait is for: an await's or a lock's kind; `site` is where.
    `is_over` is False for a wait cut off by the end of the trace, `acquired` for one that was
    given up: a lock that was not acquired, an await that ended with the task.
    """

    wait: Wait
    waiter: Waiter
    subject: str
    site: str
    is_over: bool
    acquired: bool
    causes: tuple[Cause, ...]
    path: tuple[Step, ...]
    base_ns: int  # the start of the trace, to which times are relative


def explain(model: Model, wait: Wait, tree: Tree | None = None) -> Explanation:
    """The causes of a wait and its critical path. A given `tree` has its indexes already."""
    tree = tree or Tree(model)
    tree.looked_at = 0
    causes = _causes(tree, wait)
    return Explanation(
        wait,
        waiter_of(tree, wait),
        subject(tree, wait),
        site(tree, wait),
        is_over(model, wait),
        acquired(tree, wait),
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
        causes = tree.awaited(task, wait.row, windows, path)
        is_vain = all(cause.kind in _IN_VAIN for cause in causes)
        return (_held(tree, wait, wait.row, path) if is_vain else ()) or causes
    label = tree.labels.state(wait.row)
    if label.on is not None and label.on[0] == "waker":
        return _woken(tree, wait, label.on)
    me = (("thread", model.states.who[wait.row]),)
    if label.on is not None and (found := tree.behind(label.on, windows, me)):
        return found
    if wait.what is What.CALL and (ended := tree.polls.ended(wait.row)) is not None:
        return tree.until(*ended, Label(Kind.WOKEN), windows, me)
    if wait.what is What.PREEMPTED:
        return merged([Cause(Kind.PREEMPTED, wait.ns)])
    if wait.what in _ENDED_BY:
        if subject(tree, wait).startswith(INSIDE):
            return unknown(windows)
        if subject(tree, wait).startswith(AT_WORK):
            return merged([Cause(Kind.CALL, wait.ns)])
        is_child = subject(tree, wait).startswith(CHILDREN)
        return merged([Cause(Kind.CHILD if is_child else _ENDED_BY[wait.what], wait.ns)])
    if wait.what in (What.LOCK, What.IDLE) and model.states.state[wait.row] & FAILED:
        i = model.states.slice[wait.row]
        return _held(tree, wait, i, me) or merged([Cause(Kind.TIMEOUT, wait.ns)])
    return unknown(windows)


def _held(tree: Tree, wait: Wait, i: int, path: tuple[On, ...]) -> tuple[Cause, ...]:
    """What one of those did who had the slots for which a wait (slice i) was in vain."""
    had, windows = who_had(tree, i), window(wait.start_ns, wait.end_ns)
    if had is None:
        return ()
    return tree.until(had, wait.end_ns, Label(Kind.WOKEN), windows, path)


def _woken(tree: Tree, wait: Wait, on: On) -> tuple[Cause, ...]:
    """Whoever ended a wait is its cause until then; later the waiter had only to run."""
    me = (("thread", tree.model.states.who[wait.row]),)
    released = tree.ledger.released_ns(wait.row)
    until = released if wait.start_ns <= released <= wait.end_ns else wait.end_ns
    causes = tree.behind(on, window(wait.start_ns, until), me)
    return merged([*causes, Cause(Kind.WOKEN, wait.end_ns - until)])


def waiter_of(tree: Tree, wait: Wait) -> Waiter:
    model = tree.model
    if wait.of_task:
        task = model.owners.owner[wait.row]
        coro, site = model.coroutine(model.owners.task_group[task])
        return Waiter(
            tree.lanes.name_of_task(task),
            coro,
            site,
            model.owners.task_id[task],
            -1,
            model.owners.task_process[task],
            tree.elsewhere.family.name(model.owners.task_process[task]),
        )
    thread = model.states.who[wait.row]
    return Waiter(
        tree.lanes.name_of_thread(thread), "", "", -1, model.threads[thread].tid,
        model.thread_process[thread],
    )  # fmt: skip
