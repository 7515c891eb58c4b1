"""Waits that are one problem: of one kind, and behind the same."""

from array import array
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable

from tracer import schema as s
from viewer.analysis.causes.tree import Tree
from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.ledger.resource import Waits
from viewer.analysis.ledger.rows import COLLECTIONS
from viewer.analysis.states import keys
from viewer.analysis.tasks import delays_of
from viewer.analysis.why.waits import Wait, What, acquired, site, subject
from viewer.analysis.why.weight import Weight, Weights
from viewer.trace.columns import GIL_WAIT, STATE_MASK
from viewer.trace.model import Model
from viewer.trace.sites import is_import, place_of
from viewer.words import stem

_CONTENDED = ("Lock", "RLock", "Semaphore", "BoundedSemaphore")

# Whoever ends a wait for these, it is one problem: slots may go round. What nobody ends is
# another.
_SLOTS = ("Queue.get", "future", "Event", "Condition")

type Groups = dict[tuple[Weight, Hashable], list[Wait]]


def alike(tree: Tree, waits: list[Wait]) -> Groups:
    """Waits by their weight and what they have in common."""
    behind = {
        What.READY: _behind_loop(tree.model, [w for w in waits if w.what is What.READY]),
        What.GIL: _behind_gil(tree.model, [w for w in waits if w.what is What.GIL]),
    }
    of_key: dict[Hashable, list[Wait]] = defaultdict(list)
    for wait in waits:
        keys_ = behind.get(wait.what)
        key = keys_.get(wait.row) if keys_ is not None else key_of(tree, wait)
        of_key[wait.what, key].append(wait)
    weights = Weights(tree, waits)
    found: Groups = defaultdict(list)
    for key, of in of_key.items():
        is_pool = _is_pool(tree, of)
        for wait in of:
            found[weights.of(wait, is_pool=is_pool), key].append(wait)
    return found


def key_of(tree: Tree, wait: Wait) -> Hashable:
    """What waits for the same thing have in common."""
    model, table, name = tree.model, tree.model.states, subject(tree, wait)
    if wait.what is What.AWAIT:
        task = model.owners.owner[wait.row]
        row = tree.lanes.task_waits.get(wait.row, -1)
        if row >= 0 and name in _CONTENDED:
            return "lock", table.row[row]
        by = acquired(tree, wait) if name in _SLOTS else _ended_by(tree, task, wait.row)
        return model.owners.task_group[task], name, _inside(tree, wait.row), by
    if wait.what is What.LOCK:
        return name, table.site[wait.row], table.row[wait.row]
    if wait.what in (What.CALL, What.SLEEP):
        return "import" if is_import(site(tree, wait)) else (name, table.row[wait.row])
    return name, table.site[wait.row]


def _inside(tree: Tree, i: int) -> str:
    """The innermost function of an await: a library has several waits of its own."""
    stack = tree.model.trace.text_of_slice(i, s.ARG_STACK)
    return place_of(stack.partition("\n")[0]).function


def _ended_by(tree: Tree, task: int, i: int) -> Hashable:
    """What ends such awaits: a timer, tasks of a coroutine, threads of a pool."""
    kind, who, _, _, on = tree.ended_by(task, i)
    if on is not None and on[0] == "task":
        return kind, tree.model.owners.task_group[on[1]]
    return kind, stem(who)


def _is_pool(tree: Tree, waits: list[Wait]) -> bool:
    """Whether those who wait alike also end such waits: slots go round among them."""
    waiting, ending = set(), set()
    for wait in waits:
        if wait.what is What.AWAIT:
            task = tree.model.owners.owner[wait.row]
            waiting.add(task)
            on = tree.ended_by(task, wait.row).on
            if on is not None and on[0] == "task" and on[1] != task:
                ending.add(on[1])
        elif wait.what is What.IDLE:
            waiting.add(tree.model.states.who[wait.row])
            ending.add(tree.model.states.waker[wait.row])
    return bool(waiting & ending)


def _behind_loop(model: Model, waits: list[Wait]) -> dict[int, Hashable]:
    """By slice, the occupant that had its loop for most of the wait; the collector is one."""
    if not waits:
        return {}
    key = array("i", b"\xff" * (4 * len(model.owners.kind)))
    for number, wait in enumerate(waits):
        key[wait.row] = number
    delays = delays_of(model, memoryview(key), len(waits))
    first = Ledger.of(model).first_collection
    parts = zip(delays.key, delays.who, delays.total, strict=True)
    return _most(waits, parts, lambda who: "gc" if 0 <= who - first < COLLECTIONS else who)


def _behind_gil(model: Model, waits: list[Wait]) -> dict[int, Hashable]:
    """By row, who had the GIL for most of the wait; threads of a pool are one."""
    if not waits:
        return {}
    table, gil = model.states, Ledger.of(model).gil_by_thread
    key = array("i", b"\xff" * (4 * len(table.who)))
    for number, wait in enumerate(waits):
        key[wait.row] = number
    lane = keys(
        model, lambda state: state & STATE_MASK == GIL_WAIT, table.who, model.thread_process
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
    """By row of a wait (the parts have its number), the name with its largest part."""
    sums: dict[tuple[int, Hashable], int] = defaultdict(int)
    for number, who, ns in parts:
        sums[number, name(who)] += ns
    best: dict[int, tuple[int, Hashable]] = {}
    for (number, named), ns in sums.items():
        if number not in best or ns > best[number][0]:
            best[number] = ns, named
    return {waits[number].row: named for number, (_, named) in best.items()}
