"""Which waits are worth explaining: the worst of each problem, the worst problem first."""

from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import partial

from tracer import schema as s
from viewer.analysis.causes.tree import Tree
from viewer.analysis.findings.facts import Facts
from viewer.analysis.findings.tasks import task_leak
from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.ledger.resource import Waits
from viewer.analysis.profiles.within import Within, within
from viewer.analysis.states import keys, marks
from viewer.analysis.tasks import delays_of
from viewer.analysis.why.asked import Asked, tasks_asked, threads_asked
from viewer.analysis.why.explain import (
    Explanation,
    Wait,
    What,
    explain,
    wait_of_row,
    wait_of_slice,
)
from viewer.trace.columns import (
    AWAIT,
    GIL_WAIT,
    IDLE_WAIT,
    LOCK_WAIT,
    OFF_CPU,
    PREEMPTED,
    READY,
    STATE_MASK,
    TASK_WAIT,
    Column,
)
from viewer.trace.model import Model
from viewer.words import stem

_ENOUGH = 2_000  # waits to choose from, of each kind; shorter ones are not looked at
_TOO_MANY = 5_000
_NOTABLE_NS = (
    1_000_000  # nobody asks why he waited for less, as long as somebody waited longer
)
_LONGEST_NS = 1 << 40
_SHORTEST_NS = 1 << 10

# What a wait is to a human, by its name; the rest is in `_tier`.
_TROUBLE, _KERNEL, _WORK, _REST = range(4)
_CONTENDED = ("Lock", "RLock", "Semaphore", "BoundedSemaphore", "Queue.put")
_AT_REST = ("sleep", "socket", "Queue.get", "SimpleQueue.get", "Server.serve_forever")
_ENDS = ("Thread.join", "Thread.start", "Future.result", "import")


@dataclass(frozen=True, slots=True)
class Problem:
    """Waits alike: the longest, explained, and with it how many and how long together."""

    worst: Explanation
    count: int
    total_ns: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Only waits of `at_least_ns` and longer were looked at."""

    problems: tuple[Problem, ...]
    at_least_ns: int


@dataclass(frozen=True, slots=True)
class _Group:
    tier: int
    waits: list[Wait]  # the longest first

    @property
    def rank(self) -> tuple[bool, int, int, int]:
        """Long waits count more than many: what a random moment would meet."""
        worst = self.waits[0]
        squares = sum(wait.ns * wait.ns for wait in self.waits)
        return worst.ns < _NOTABLE_NS, self.tier, -squares, worst.start_ns


def worst_waits(model: Model, most: int, asked: Asked) -> Answer:
    """The worst problems, at most so many. NotInTraceError when who is asked for is not there,
    nor the region.

    Asked for nothing in particular, these are delays: tasks that were ready, waits for the GIL
    and for locks. Only if none of them lasted a millisecond there are others.
    """
    tree = Tree(model)
    waits, at_least_ns = _find(tree, asked)
    groups = _grouped(tree, waits)
    if asked == Asked():
        groups += _leaks(tree)
        notable = [g for g in groups if g.tier == _TROUBLE and g.waits[0].ns >= _NOTABLE_NS]
        groups = notable or groups + _grouped(tree, _others(tree, waits))
    groups.sort(key=lambda group: group.rank)
    problems = tuple(
        Problem(
            explain(model, group.waits[0], tree),
            len(group.waits),
            sum(wait.ns for wait in group.waits),
        )
        for group in groups[:most]
    )
    return Answer(problems, at_least_ns)


# Finding waits ----------------------------------------------------------------------------


def _find(tree: Tree, asked: Asked) -> tuple[list[Wait], int]:
    """The waits to choose from, and how long they are at least."""
    model, table = tree.model, tree.model.states
    if asked == Asked():
        return _longest_of_all(tree)
    slices: Iterable[int] = ()
    rows: Iterable[int] = ()
    if asked.task:
        wanted, owned = set(tasks_asked(tree, asked.task)), model.owners
        kinds = enumerate(bytes(owned.kind))
        slices = [i for i, k in kinds if k in (READY, AWAIT) and owned.owner[i] in wanted]
    if asked.thread:
        threads = threads_asked(tree, asked.thread)
        rows = [row for thread in threads for row in tree.lanes.rows_of_thread(thread)]
    if not asked.task and not asked.thread:
        last_ns = model.end_ns if asked.at_ns is None else asked.at_ns
        before = range(bisect_right(model.trace.slices.start_ns, last_ns))
        slices = (i for i in before if model.owners.kind[i] in (READY, AWAIT))
        rows = range(bisect_right(table.start_ns, last_ns))
    if asked.at_ns is not None:
        slices = _covering(slices, model.trace.slices.end_ns, asked.at_ns)
        rows = _covering(rows, table.end_ns, asked.at_ns)
    waits = [w for i in slices if (w := wait_of_slice(model, i)) is not None]
    waits += [w for row in rows if (w := wait_of_row(model, row)) is not None]
    if asked.at_ns is not None:
        waits = [wait for wait in waits if wait.start_ns <= asked.at_ns]
    if asked.region:
        where = within(model, asked.region)
        waits = [wait for wait in waits if _lies_within(model, where, wait)]
    waits.sort(key=lambda wait: (-wait.ns, wait.start_ns))
    least = waits[_TOO_MANY].ns if len(waits) > _TOO_MANY else 0
    return [wait for wait in waits[:_TOO_MANY] if wait.ns], least


def _lies_within(model: Model, where: Within, wait: Wait) -> bool:
    if wait.of_task:
        task = model.owners.owner[wait.row]
        return bool(where.task(task, wait.start_ns, wait.end_ns))
    thread = model.threads[model.states.who[wait.row]]
    return bool(where.thread(thread.pid, thread.tid, wait.start_ns, wait.end_ns))


def _covering(rows: Iterable[int], end: Column, at_ns: int) -> list[int]:
    return [row for row in rows if end[row] > at_ns]


def _longest_of_all(tree: Tree) -> tuple[list[Wait], int]:
    model, slices, table = tree.model, tree.model.trace.slices, tree.model.states
    ready = bytes(int(kind == READY) for kind in range(256))
    of_tasks = memoryview(bytes(model.owners.kind).translate(ready))
    waits, least = [], 0
    rows, at_least = _longest(model, slices.start_ns, slices.end_ns, of_tasks)
    waits += [Wait(What.READY, i, slices.start_ns[i], slices.end_ns[i]) for i in rows]
    least = max(least, at_least)
    for state in (GIL_WAIT, LOCK_WAIT, TASK_WAIT, PREEMPTED, OFF_CPU):
        wanted = marks(model, partial(_is, state))
        rows, at_least = _longest(model, table.start_ns, table.end_ns, wanted)
        least = max(least, at_least if state != OFF_CPU else 0)
        for row in rows:
            wait = _of_task(tree, row) if state == TASK_WAIT else wait_of_row(model, row)
            if wait is not None:
                waits.append(wait)
    return waits, least


def _others(tree: Tree, known: list[Wait]) -> list[Wait]:
    """The longest waits of the kinds that are mostly part of the work, or rest."""
    model, slices, table = tree.model, tree.model.trace.slices, tree.model.states
    told = set(known)
    awaiting = bytes(int(kind == AWAIT) for kind in range(256))
    of_tasks = memoryview(bytes(model.owners.kind).translate(awaiting))
    rows, _ = _longest(model, slices.start_ns, slices.end_ns, of_tasks)
    waits = [wait for i in rows if (wait := wait_of_slice(model, i)) is not None]
    wanted = marks(model, partial(_is, IDLE_WAIT))
    rows, _ = _longest(model, table.start_ns, table.end_ns, wanted)
    waits += [wait for row in rows if (wait := wait_of_row(model, row)) is not None]
    return [wait for wait in waits if wait not in told]


def _is(wanted: int, state: int) -> int:
    return int(state & STATE_MASK == wanted)


def _waits_for_gil(state: int) -> bool:
    return state & STATE_MASK == GIL_WAIT


def _longest(model: Model, start: Column, end: Column, mark: Column) -> tuple[list[int], int]:
    """The longest of the marked rows, and how long they are at least."""
    if bytes(mark).find(1) < 0:
        return [], 0
    at_least, rows = _LONGEST_NS, model.trace.engine.longer(start, end, mark, _LONGEST_NS)
    while len(rows) < _ENOUGH and at_least > _SHORTEST_NS:
        at_least //= 2
        rows = model.trace.engine.longer(start, end, mark, at_least)
    found = rows.tolist()
    if len(found) > _TOO_MANY:
        found.sort(key=lambda row: start[row] - end[row])
        found = found[:_TOO_MANY]
        at_least = end[found[-1]] - start[found[-1]]
    return found, at_least


def _of_task(tree: Tree, row: int) -> Wait | None:
    """The await that a row of States (TASK_WAIT) is."""
    return wait_of_slice(tree.model, tree.model.states.slice[row])


# Grouping them ----------------------------------------------------------------------------


def _grouped(tree: Tree, waits: list[Wait]) -> list[_Group]:
    """Those of one kind that were behind the same."""
    by_key: dict[tuple[int, Hashable], list[Wait]] = defaultdict(list)
    behind = {
        What.READY: _behind_loop(tree.model, [w for w in waits if w.what is What.READY]),
        What.GIL: _behind_gil(tree.model, [w for w in waits if w.what is What.GIL]),
    }
    for wait in waits:
        name = _name(tree, wait)
        keys_ = behind.get(wait.what)
        key = keys_.get(wait.row) if keys_ is not None else _key(tree, wait, name)
        by_key[_tier(wait, name), (wait.what, key)].append(wait)
    found = []
    for (tier, _), alike in by_key.items():
        alike.sort(key=lambda wait: (-wait.ns, wait.start_ns))
        found.append(_Group(tier, alike))
    return found


def _name(tree: Tree, wait: Wait) -> str:
    """What was waited for, without prefix; "" of what has no name."""
    if wait.what is What.READY or wait.what in (What.GIL, What.PREEMPTED, What.OFF_CPU):
        return ""
    if wait.what is What.AWAIT:
        return tree.lanes.name_of_slice(wait.row).removeprefix(s.AWAIT_PREFIX)
    return tree.lanes.name_of(wait.row).removeprefix(s.LOCK_WAIT_PREFIX)


def _tier(wait: Wait, name: str) -> int:
    """Whether it is somebody's trouble, the kernel's doing, part of the work, or rest."""
    if wait.what in (What.READY, What.GIL):
        return _TROUBLE
    if wait.what in (What.PREEMPTED, What.OFF_CPU):
        return _KERNEL
    if name.removeprefix("asyncio.") in _CONTENDED:
        return _TROUBLE
    if name in _AT_REST:
        return _REST
    return _WORK if wait.what is What.AWAIT or name in _ENDS else _REST


def _key(tree: Tree, wait: Wait, name: str) -> Hashable:
    """What waits for the same thing have in common."""
    model, table = tree.model, tree.model.states
    if wait.what is What.AWAIT:
        task = model.owners.owner[wait.row]
        row = tree.lanes.task_waits.get(wait.row, -1)
        if row >= 0 and name in _CONTENDED:
            return "lock", table.row[row]
        return model.owners.task_group[task], name, tree.ended_by(task, wait.row)[:2]
    if wait.what in (What.LOCK, What.IDLE):
        return (
            name,
            table.site[wait.row],
            table.row[wait.row] if wait.what is What.LOCK else -1,
        )
    return None


def _behind_loop(model: Model, waits: list[Wait]) -> dict[int, Hashable]:
    """By slice, the occupant that had its loop for most of the wait."""
    key = array("i", b"\xff" * (4 * len(model.owners.kind)))
    for number, wait in enumerate(waits):
        key[wait.row] = number
    delays = delays_of(model, memoryview(key), len(waits)) if waits else None
    if delays is None:
        return {}
    return _most(
        waits, zip(delays.key, delays.who, delays.total, strict=True), lambda who: who
    )


def _behind_gil(model: Model, waits: list[Wait]) -> dict[int, Hashable]:
    """By row, who had the GIL for most of the wait; threads of a pool are one."""
    if not waits:
        return {}
    table, gil = model.states, Ledger.of(model).gil_by_thread
    key = array("i", b"\xff" * (4 * len(table.who)))
    for number, wait in enumerate(waits):
        key[wait.row] = number
    lane = keys(
        model, lambda state: bool(_is(GIL_WAIT, state)), table.who, model.thread_process
    )
    charges = gil.charge(
        Waits(table.start_ns, table.end_ns, lane, memoryview(key), len(waits))
    )

    def name(who: int) -> Hashable:
        return stem(model.thread_names[who]) if who < gil.whos else who

    return _most(waits, zip(charges.key, charges.who, charges.total, strict=True), name)


def _most(
    waits: list[Wait],
    parts: Iterable[tuple[int, int, int]],
    name: Callable[[int], Hashable],
) -> dict[int, Hashable]:
    """By row of a wait (told by number), the one with its largest part."""
    best: dict[int, tuple[int, int]] = {}
    for number, who, ns in parts:
        best[number] = max(best.get(number, (-1, 0)), (ns, -who))
    return {waits[number].row: name(-who) for number, (_, who) in best.items()}


def _leaks(tree: Tree) -> list[_Group]:
    """Awaits that nobody ends, of tasks that pile up."""
    model, lanes = tree.model, tree.lanes
    found = []
    for finding in task_leak(Facts(model)):
        evidence = finding.evidence
        processes = range(len(model.trace.processes))
        mine = [p for p in processes if model.pid(p) == evidence.pid] or [-1]
        task = tree.ledger.task_of(mine[0], evidence.task)
        example = lanes.begins(task, evidence.start_ns, AWAIT) if task >= 0 else -1
        first = wait_of_slice(model, example) if example >= 0 else None
        if first is None:
            continue
        alike = _key(tree, first, _name(tree, first))
        groups, group = model.owners.task_group, model.owners.task_group[task]
        awaits = model.task_keys(AWAIT)
        last_await = model.trace.engine.spans(
            model.trace.slices.end_ns, awaits, len(groups)
        ).last
        last = (last_await[other] for other, of in enumerate(groups) if of == group)
        waits = [
            wait
            for i in last
            if i >= 0
            and model.owners.code[i] == model.owners.code[example]
            and (wait := wait_of_slice(model, i)) is not None
            and _key(tree, wait, _name(tree, wait)) == alike
        ]
        waits.sort(key=lambda wait: (-wait.ns, wait.start_ns))
        found.append(_Group(_TROUBLE, waits))
    return found
