"""What a program knows about its tasks: their creators, awaits and wakers."""

from collections.abc import Iterator

from tests.random_programs import facts
from tests.random_programs.evidence import SLACK_NS, Evidence, Found
from tests.random_programs.facts import Facts
from tests.support.validator.rules import TaskSummary
from tests.support.validator.slices import Slice
from tracer import schema as s


def check_tasks(trace: Evidence, truth: Facts) -> Found:
    for row in truth.tasks:
        found = trace.tasks.get(row.name, [])
        if len(found) != 1:
            yield "task", row.part, f"{row.name!r} is there {len(found)} times"
            continue
        for kind, text in _task(trace, row, found[0]):
            yield kind, row.part, f"{row.name!r}: {text}"
    for await_ in truth.awaits:
        found = trace.tasks.get(await_.task, [])
        if len(found) != 1:
            yield "task", await_.part, f"{await_.task!r} is there {len(found)} times"
            continue
        for kind, text in _await(trace, await_, found[0]):
            yield kind, await_.part, f"{await_.name} of {await_.task!r}: {text}"


def _names(trace: Evidence, task: object) -> set[str]:
    return trace.task_names.get(task, set()) if isinstance(task, int) else set()


def _task(trace: Evidence, row: facts.Task, task: TaskSummary) -> Iterator[tuple[str, str]]:
    first = task.slices[0].begin
    parent = first.args.get(s.ARG_PARENT)
    if row.parent and row.parent not in _names(trace, parent):
        yield "task parent", f"made by {_names(trace, parent) or parent}, not {row.parent!r}"
    if not row.parent and parent is not None:
        yield "task parent", f"made by {_names(trace, parent)}, not by a task"
    if row.eager is not None and first.name != (s.RUNNING if row.eager else s.READY):
        yield "task begin", f"begins with {first.name!r}"
    if task.end != row.end:
        yield "task end", f"ends {task.end!r}, not {row.end!r}; it was {task.states}"
    if row.parent and row.eager is False:
        made_by = first.args.get(s.ARG_WAKER_TASK)
        if row.parent not in _names(trace, made_by):
            yield "task maker", f"first made ready by {first.args}, not {row.parent!r}"
    if row.parent and row.eager is not None:
        makers = trace.tasks.get(row.parent, [])
        if makers and not any(trace.comes_from(first, each) for each in makers):
            yield "task arrow", f"no arrow from {row.parent!r}: {trace.arrows(first)}"


def _await(trace: Evidence, row: facts.Await, task: TaskSummary) -> Iterator[tuple[str, str]]:
    # A timer may be due before the task begins to await it.
    last_ns = row.done_ns if row.waker == "timer" else row.woke_ns or row.done_ns
    found = [
        at
        for at, each in enumerate(task.slices)
        if each.name == row.name
        and row.asked_ns - SLACK_NS <= each.start_ns <= last_ns + SLACK_NS
    ]
    if not found:
        near = trace.near(task.slices, row.asked_ns, row.done_ns)
        yield "await not named", f"the task has {near}"
        return
    at = found[-1]
    wait, after = task.slices[at], task.slices[at + 1 : at + 2]
    if not after:
        yield "await", "it never ends"
        return
    (ready,) = after
    if ready.name != s.READY:
        yield "await", f"{ready.name!r} comes after it"
        return
    if ready.start_ns < row.woke_ns - SLACK_NS:
        yield "await too short", f"{row.woke_ns - ready.start_ns} ns before anybody ended it"
    if ready.start_ns > (row.woken_ns or row.done_ns) + SLACK_NS:
        over_ns = ready.start_ns - (row.woken_ns or row.done_ns)
        yield "await too long", f"{over_ns} ns after it was ended"
    if row.acquired is not None and wait.args.get(s.ARG_ACQUIRED) != row.acquired:
        yield "await acquired", f"acquired is {wait.args.get(s.ARG_ACQUIRED)}"
    if row.owner_task and row.owner_task not in _names(trace, wait.args.get(s.ARG_OWNER_TASK)):
        owner = wait.args.get(s.ARG_OWNER_TASK)
        kind = "await owner missing" if owner is None else "await owner wrong"
        yield kind, f"owned by {_names(trace, owner) or owner}, not {row.owner_task!r}"
    yield from _waker(trace, row, ready)


def _waker(trace: Evidence, row: facts.Await, ready: Slice) -> Iterator[tuple[str, str]]:
    args = ready.begin.args
    said = {key: value for key, value in args.items() if key not in (s.ARG_STACK, s.ARG_NAME)}
    if row.waker:
        is_overdue = row.overdue and args.get(s.ARG_VIA) == row.overdue
        by_itself = row.task in _names(trace, args.get(s.ARG_WAKER_TASK))
        if args.get(s.ARG_WAKER) != row.waker and not (is_overdue and by_itself):
            yield "await waker", f"woken by {said}, not {row.waker}"
        return
    by_task = row.waker_task and row.waker_task in _names(trace, args.get(s.ARG_WAKER_TASK))
    by_thread = row.waker_thread and args.get(s.ARG_WAKER_THREAD) == row.waker_thread
    if not by_task and not by_thread:
        who = row.waker_task or row.waker_thread
        yield "await waker", f"woken by {said}, not {who!r}"
        return
    wakers = trace.tasks[row.waker_task] if by_task else [row.waker_thread]
    if not any(trace.comes_from(ready.begin, each) for each in wakers):
        kind = "await arrow from a task" if by_task else "await arrow from a thread"
        yield kind, f"no chain of arrows from its waker ({said}): {trace.arrows(ready.begin)}"
