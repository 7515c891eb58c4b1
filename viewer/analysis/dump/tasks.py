"""The tasks of a moment, on any loop: what each did, since when, with which stack."""

from tracer import schema as s
from viewer.analysis.dump.covering import Covering
from viewer.analysis.dump.entry import Entry, What
from viewer.analysis.dump.threads import COMPUTING
from viewer.analysis.profiles.awaits import await_frames
from viewer.analysis.profiles.profile import Place, place_of, places_of, within_task
from viewer.trace.columns import AWAIT, READY, RUNNING
from viewer.trace.model import Model

_NO_PLACE = "?:"  # of a thread's main greenlet, which is no function
_FIRST_STATE = 8  # it is among so many slices from a task's first one on


def task_entries(
    model: Model, covering: Covering, threads: list[Entry]
) -> list[tuple[Entry, int]]:
    """The tasks alive then, each with the slice of its state. `threads` come before them
    among the entries."""
    by_tid = {(entry.process, entry.number): i for i, entry in enumerate(threads)}
    owned, kinds = model.owners, model.owners.kind
    resting = _resting(model, covering)
    order = {task: len(threads) + n for n, task in enumerate(sorted(covering.tasks))}
    ids = zip(owned.task_process, owned.task_id, strict=True)
    by_id = {key: task for task, key in enumerate(ids) if key[1] >= 0}
    found = []
    for task, i in sorted(covering.tasks.items()):
        entry = _task(model, covering, task, i)
        entry = _with_creator(entry, model, task, by_id, order)
        if kinds[i] == RUNNING:
            entry = _running(entry, model, i, by_tid, threads)
        elif kinds[i] == READY:
            first = first_state(model, task) == i
            frames = (_own(model, task),) if first else resting.get(task, ())
            entry = entry._replace(frames=frames)
        else:
            entry = entry._replace(frames=_awaiting(model, covering, i, task))
        found.append((entry, i))
    return found


def first_state(model: Model, task: int) -> int:
    """The slice of a task's first state; -1 when it is lost."""
    owned, head = model.owners, model.owners.task_head[task]
    for i in range(head, min(head + _FIRST_STATE, len(owned.kind))):
        if owned.owner[i] == task and owned.kind[i] in (READY, RUNNING, AWAIT):
            return i
    return -1


def creation(model: Model, task: int) -> tuple[Place, ...]:
    """The stack that created a task, innermost first; () unknown."""
    i = first_state(model, task)
    if i < 0 or model.owners.kind[i] != READY:
        return ()
    return within_task(places_of(model.trace.text_of_slice(i, s.ARG_STACK)))


def _task(model: Model, covering: Covering, task: int, i: int) -> Entry:
    owned = model.owners
    function, site = model.coroutine(owned.task_group[task])
    site = "" if site.startswith(_NO_PLACE) else site
    return Entry(
        What.TASK,
        owned.task_process[task],
        task,
        owned.task_id[task],
        model.task_name(task),
        function,
        site,
        covering.name(i),
        model.trace.slices.start_ns[i],
        at_least=owned.kind[i] == AWAIT and first_state(model, task) == i,
        created=creation(model, task),
    )


def _own(model: Model, task: int) -> Place:
    name, site = model.coroutine(model.owners.task_group[task])
    return place_of(site) if site else Place(name)


def _awaiting(model: Model, covering: Covering, i: int, task: int) -> tuple[Place, ...]:
    """The coroutines that await each other; () where only the task's function is known."""
    known = covering.frames(i)
    is_first = first_state(model, task) == i
    has_stack = bool(model.trace.text_of_slice(i, s.ARG_STACK))
    return await_frames(model, i, task) if has_stack or (known and not is_first) else ()


def _resting(model: Model, covering: Covering) -> dict[int, tuple[Place, ...]]:
    """By task that was woken and has not run yet the await in which it still is.

    A task that yielded has no such await: where it did is not recorded.
    """
    owned, slices = model.owners, model.trace.slices
    woken = {
        task: slices.start_ns[i]
        for task, i in covering.tasks.items()
        if owned.kind[i] == READY
    }
    found = {}
    if woken:
        starts = frozenset(woken.values())
        for i, end in enumerate(slices.end_ns):
            if end in starts and owned.kind[i] == AWAIT and woken.get(owned.owner[i]) == end:
                found[owned.owner[i]] = _awaiting(model, covering, i, owned.owner[i])
    return found


def _with_creator(
    entry: Entry,
    model: Model,
    task: int,
    by_id: dict[tuple[int, int], int],
    order: dict[int, int],
) -> Entry:
    owned = model.owners
    parent = by_id.get((owned.task_process[task], owned.task_parent[task]), -1)
    if parent < 0:
        return entry
    name = model.coroutine_of(parent)
    return entry._replace(creator=order.get(parent, -1), creator_name=name)


def _running(
    entry: Entry,
    model: Model,
    i: int,
    by_tid: dict[tuple[int, int], int],
    threads: list[Entry],
) -> Entry:
    """A task in a step is where its thread is, and does what that one does."""
    lane = model.lane[i]
    loop = model.loops[lane] if lane >= 0 else None
    on = by_tid.get((loop.process, loop.tid), -1) if loop is not None else -1
    if on < 0:
        return entry
    thread = threads[on]
    entry = entry._replace(
        frames=within_task(thread.frames), sampled_ns=thread.sampled_ns, runs_on=on
    )
    if thread.state in COMPUTING or thread.since_ns < 0:
        return entry
    return entry._replace(state=thread.state, since_ns=thread.since_ns)
