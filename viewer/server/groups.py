"""The lanes of a trace, by group, for the timelines of the page."""

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush

from tracer import schema as s
from viewer.analysis.availability import ANSWER_NS
from viewer.analysis.causes.lanes import name_of_task
from viewer.analysis.processes.family import Family
from viewer.analysis.states import keys, marks, numbers
from viewer.server import families
from viewer.server.lanes import Group, Title
from viewer.trace import columns
from viewer.trace.columns import Column, Lanes
from viewer.trace.model import Model

_HOLDER_CODES = 12  # the number of colours for holders
_BLOCKED = 9  # the code of a step or callback during which the loop answers nobody for long
_NAMES = {
    columns.THREAD_RUNNING: s.RUNNING,
    columns.NATIVE: s.NATIVE,
    columns.PREEMPTED: s.PREEMPTED,
    columns.OFF_CPU: s.OFF_CPU,
    columns.GIL_WAIT: s.GIL_WAIT,
    columns.LOCK_WAIT: "lock wait",
    columns.IDLE_WAIT: "idle wait",
    columns.IO: "io",
    columns.SLEEP: s.SLEEP,
    columns.TASK_WAIT: "lock wait",
    columns.HOLD: "hold",
}
_WAITS = (columns.LOCK_WAIT, columns.IDLE_WAIT, columns.TASK_WAIT)
_TASK_KINDS = (columns.READY, columns.RUNNING, columns.AWAIT)
_LOOP_KINDS = (columns.LOOP_TASK, columns.LOOP_CALLBACK, columns.SELECT)


def threads(model: Model) -> Group:
    """A lane per thread, with its states."""
    table = model.states
    count = len(model.threads)
    lane = keys(model, _is_thread_state, table.who, numbers(range(count)))
    codes = marks(model, lambda state: state & columns.STATE_MASK)
    titles = tuple(
        Title(track.thread_name or "thread", str(track.tid), i, model.thread_process[i])
        for i, track in enumerate(model.threads)
    )
    lanes = model.trace.engine.lanes(table.start_ns, table.end_ns, codes, lane, count)
    return Group(titles, lanes, lane, lambda row: state_label(model, row), True)


def gil(model: Model) -> Group:
    """A lane per process, with the holders of the GIL."""
    table, count = model.states, len(model.trace.processes)
    lane = keys(
        model, lambda state: bool(state & columns.HOLDING), table.who, model.thread_process
    )
    codes = memoryview(bytes([1]) * len(table.state))
    name = Family.of(model).name
    titles = tuple(Title("GIL", name(i) or str(model.pid(i)), i, i) for i in range(count))
    lanes = model.trace.engine.lanes(table.start_ns, table.end_ns, codes, lane, count)
    return Group(titles, lanes, lane, lambda row: model.thread_names[table.who[row]], True)


def loops(model: Model) -> Group:
    """A lane per event loop, with the tasks and callbacks that it runs, or its idle time."""
    lane = _slice_keys(model, _LOOP_KINDS, model.lane, len(model.loops))
    titles = tuple(
        Title(f"loop @{loop.thread_name}", str(loop.tid or ""), i, loop.process)
        for i, loop in enumerate(model.loops)
    )
    steps = (columns.LOOP_TASK, columns.LOOP_CALLBACK)
    lanes = _slice_lanes(model, lane, len(titles), steps)
    return Group(titles, lanes, lane, lambda row: slice_name(model, row), False)


def tasks(model: Model) -> Group:
    """A lane per task, without titles: there may be a million."""
    count = len(model.owners.task_id)
    lane = _slice_keys(model, _TASK_KINDS, model.owners.owner, count)
    return Group(
        (),
        _slice_lanes(model, lane, count, (columns.RUNNING,)),
        lane,
        lambda row: slice_name(model, row),
        False,
    )


def collections(model: Model) -> Group:
    """A lane per process, with its garbage collections by generation."""
    found = sorted(model.collections, key=lambda one: one.start_ns)
    lane = numbers(max(one.process, 0) for one in found)
    lanes = model.trace.engine.lanes(
        memoryview(array("q", (one.start_ns for one in found))),
        memoryview(array("q", (one.end_ns for one in found))),
        memoryview(bytes(min(one.generation, 2) + 1 for one in found)),
        lane,
        max(len(model.trace.processes), 1),
    )
    name = Family.of(model).name
    titles = tuple(
        Title("GC", name(i) or str(process.pid), i, i)
        for i, process in enumerate(model.trace.processes)
    )
    return Group(titles, lanes, lane, lambda row: f"gen {found[row].generation}", False)


def locks(model: Model) -> Group:
    """A lane per contended lock, with its holders."""
    table = model.states
    count = len(table.lock_id)
    every = numbers(range(count))
    lane = keys(model, lambda state: _base(state) == columns.HOLD, table.row, every)
    codes = bytearray(len(table.state))
    names: dict[int, int] = {}
    for i, lock in enumerate(lane):
        if lock >= 0:
            name = table.owner_name[table.owner[i]] if table.owner[i] >= 0 else -1
            codes[i] = 1 + names.setdefault(name, len(names)) % _HOLDER_CODES
    lanes = model.trace.engine.lanes(
        table.start_ns, table.end_ns, memoryview(bytes(codes)), lane, count
    )
    titles = tuple(Title(*_lock_title(model, i), i) for i in range(count))
    return Group(titles, lanes, lane, lambda row: owner_name(model, row), True)


def waits(model: Model) -> Group:
    """Lanes of the waits for each lock, stacked where they overlap."""
    table = model.states
    every = numbers(range(len(table.lock_id)))
    of_lock = keys(model, lambda state: _base(state) in _WAITS, table.row, every)
    lane = array("i", [-1]) * len(of_lock)
    piles: dict[int, _Pile] = {}
    titles: list[Title] = []
    for i, lock in enumerate(of_lock):
        if lock < 0:
            continue
        pile = piles.setdefault(lock, _Pile())
        depth = pile.take(table.start_ns[i], table.end_ns[i])
        if depth == len(pile.lanes):
            pile.lanes.append(len(titles))
            titles.append(Title(*_lock_title(model, lock), lock))
        lane[i] = pile.lanes[depth]
    codes = marks(model, _base)
    lanes = model.trace.engine.lanes(
        table.start_ns, table.end_ns, codes, memoryview(lane), len(titles)
    )
    return Group(
        tuple(titles), lanes, memoryview(lane), lambda row: waiter_name(model, row), True
    )


@dataclass(slots=True)
class _Pile:
    """The waits for a lock, each on the lowest lane that is free when it begins."""

    lanes: list[int] = field(default_factory=list)  # by depth
    busy: list[tuple[int, int]] = field(default_factory=list)  # (end, depth), a heap
    free: list[int] = field(default_factory=list)  # depths, a heap

    def take(self, start_ns: int, end_ns: int) -> int:
        while self.busy and self.busy[0][0] <= start_ns:
            heappush(self.free, heappop(self.busy)[1])
        depth = heappop(self.free) if self.free else len(self.busy)
        heappush(self.busy, (end_ns, depth))
        return depth


GROUPS: dict[str, Callable[[Model], Group]] = {
    "threads": threads,
    "loops": loops,
    "gil": gil,
    "gc": collections,
    "tasks": tasks,
    "locks": locks,
    "waits": waits,
    "processes": families.processes,
    "jobs": families.jobs,
}


def busy_ns(model: Model, group: Group) -> int | None:
    """The time in which any of the lanes shows something but idleness; None without a slice.

    Lanes may overlap, as those of several loops, and slices may be nested.
    """
    lanes = group.lanes
    if not len(lanes.row):
        return None
    order = sorted(range(len(lanes.row)), key=lanes.start_ns.__getitem__)
    found, covered_ns = 0, 0
    for i in order:
        start, end = max(lanes.start_ns[i], covered_ns), lanes.end_ns[i]
        if end > start and lanes.code[i] != columns.SELECT:
            found += end - start
            covered_ns = end
    return found


def state_label(model: Model, row: int) -> str:
    """The text of a thread's state, as short as its slice needs it."""
    table, text = model.states, model.trace.text
    base = _base(table.state[row])
    if base == columns.IO:
        return text(table.call_name[table.row[row]]).removeprefix(s.IO_PREFIX)
    if base in _WAITS:
        lock = table.row[row]
        name = text(table.lock_name[lock]).removeprefix(s.LOCK_WAIT_PREFIX)
        owner = owner_name(model, row)
        return f"{name} ← {owner}" if owner else name
    return _NAMES.get(base, "?")


def state_name(model: Model, row: int) -> str:
    return _NAMES.get(_base(model.states.state[row]), "?")


def owner_name(model: Model, row: int) -> str:
    table = model.states
    owner = table.owner[row]
    return model.trace.text(table.owner_name[owner]) if owner >= 0 else ""


def waiter_name(model: Model, row: int) -> str:
    table = model.states
    if _base(table.state[row]) == columns.TASK_WAIT:
        return name_of_task(model, table.who[row])
    return model.thread_names[table.who[row]]


def slice_name(model: Model, row: int) -> str:
    return model.trace.text(model.trace.events.name[model.trace.slices.event[row]])


def _base(state: int) -> int:
    return state & columns.STATE_MASK


def _is_thread_state(state: int) -> bool:
    return _base(state) not in (0, columns.TASK_WAIT, columns.HOLD)


def _slice_keys(model: Model, kinds: tuple[int, ...], of: Column, count: int) -> Column:
    table = bytes(int(kind in kinds) for kind in range(256))
    chosen = memoryview(bytes(model.owners.kind).translate(table))
    return model.trace.engine.group_keys(chosen, of, numbers(range(count)), 1)


def _slice_lanes(model: Model, lane: Column, count: int, steps: tuple[int, ...]) -> Lanes:
    """Lanes of slices by their kinds; long `steps` block their loop."""
    slices, engine = model.trace.slices, model.trace.engine
    codes = bytearray(model.owners.kind)
    is_step = codes.translate(bytes(int(kind in steps) for kind in range(256)))
    for row in engine.longer(
        slices.start_ns, slices.end_ns, memoryview(bytes(is_step)), ANSWER_NS
    ):
        codes[row] = _BLOCKED
    return engine.lanes(slices.start_ns, slices.end_ns, memoryview(bytes(codes)), lane, count)


def _lock_title(model: Model, lock: int) -> tuple[str, str]:
    table, text = model.states, model.trace.text
    name = text(table.lock_name[lock]).removeprefix(s.LOCK_WAIT_PREFIX)
    kind = text(table.lock_kind[lock]) or name
    return kind.removeprefix(s.AWAIT_PREFIX), text(table.lock_site[lock])
