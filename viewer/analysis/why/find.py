"""Which waits are looked at: those asked for, else the longest of each kind."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator

from viewer.analysis.causes.tree import Tree
from viewer.analysis.profiles.within import Within, within
from viewer.analysis.states import marks
from viewer.analysis.why.asked import Asked, processes_asked, tasks_asked, threads_asked
from viewer.analysis.why.waits import STATES, Wait, wait_of_row, wait_of_slice
from viewer.trace.columns import AWAIT, READY, STATE_MASK, Column
from viewer.trace.model import Model

_ENOUGH = 2_000  # waits of each kind to choose from; shorter ones are not looked at
_TOO_MANY = 3_000
_SHORTEST_NS = 1 << 10
_DOUBLINGS = 50
_FINER = 64  # bounds between one doubling and the next


def find(tree: Tree, asked: Asked) -> tuple[list[Wait], int]:
    """The waits to choose from, and how long they are at least."""
    return longest_of_all(tree.model) if asked == Asked() else _asked_for(tree, asked)


def longest_of_all(model: Model) -> tuple[list[Wait], int]:
    """The longest waits of each kind, and how long they are at least."""
    slices, table = model.trace.slices, model.states
    waits: list[Wait] = []
    least = 0
    for kind in (READY, AWAIT):
        of_kind = bytes(int(each == kind) for each in range(256))
        mark = memoryview(bytes(model.owners.kind).translate(of_kind))
        rows, at_least = _longest(model, slices.start_ns, slices.end_ns, mark)
        waits += _waits(wait_of_slice(model, i) for i in rows)
        least = max(least, at_least)
    for state in STATES:
        rows, at_least = _longest(model, table.start_ns, table.end_ns, _of(model, state))
        waits += _waits(wait_of_row(model, row) for row in rows)
        least = max(least, at_least)
    return waits, least


def _waits(found: Iterable[Wait | None]) -> Iterator[Wait]:
    return (wait for wait in found if wait is not None and wait.ns)


def _of(model: Model, wanted: int) -> Column:
    return marks(model, lambda state: int(state & STATE_MASK == wanted))


def _longest(model: Model, start: Column, end: Column, mark: Column) -> tuple[list[int], int]:
    """The longest of the marked rows, and how long those are that are left out at most."""
    engine = model.trace.engine
    one = memoryview(array("i", [0]))
    key = engine.group_keys(mark, memoryview(array("i", bytes(4 * len(mark)))), one, 1)

    def enough(bounds: list[int]) -> tuple[int, int, int]:
        """The highest bound with enough rows from it on; how many those are, and the rest."""
        counts = engine.histogram(start, end, key, memoryview(array("q", bounds)), 1).tolist()
        at, count = len(bounds), counts[-1]  # buckets from here on have enough
        while at > 1 and count < _ENOUGH:
            at -= 1
            count += counts[at]
        return bounds[at - 1], count, sum(counts) - count

    at_least, count, left_out = enough([_SHORTEST_NS << n for n in range(_DOUBLINGS)])
    width = at_least  # of the bucket from there on
    while count > _TOO_MANY and width >= _FINER:
        width //= _FINER
        at_least, count, left_out = enough([at_least + n * width for n in range(_FINER)])
    found = engine.longer(start, end, mark, at_least).tolist()
    if len(found) > _TOO_MANY:
        found.sort(key=lambda row: start[row] - end[row])
        found = found[:_TOO_MANY]
        at_least = end[found[-1]] - start[found[-1]]
        left_out += 1
    return found, at_least if left_out else 0


def _asked_for(tree: Tree, asked: Asked) -> tuple[list[Wait], int]:
    model, table = tree.model, tree.model.states
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
    waits = [*_waits(wait_of_slice(model, i) for i in slices)]
    waits += _waits(wait_of_row(model, row) for row in rows)
    if asked.at_ns is not None:
        waits = [wait for wait in waits if wait.start_ns <= asked.at_ns]
    if asked.process:
        wanted_in = processes_asked(tree, asked.process)
        waits = [wait for wait in waits if _process_of(model, wait) in wanted_in]
    if asked.region:
        where = within(model, asked.region)
        waits = [wait for wait in waits if _lies_within(model, where, wait)]
    waits.sort(key=lambda wait: (-wait.ns, wait.start_ns))
    least = waits[_TOO_MANY].ns if len(waits) > _TOO_MANY else 0
    return waits[:_TOO_MANY], least


def _process_of(model: Model, wait: Wait) -> int:
    if wait.of_task:
        return model.owners.task_process[model.owners.owner[wait.row]]
    return model.thread_process[model.states.who[wait.row]]


def _lies_within(model: Model, where: Within, wait: Wait) -> bool:
    if wait.of_task:
        task = model.owners.owner[wait.row]
        return bool(where.task(task, wait.start_ns, wait.end_ns))
    thread = model.threads[model.states.who[wait.row]]
    return bool(where.thread(thread.pid, thread.tid, wait.start_ns, wait.end_ns))


def _covering(rows: Iterable[int], end: Column, at_ns: int) -> list[int]:
    return [row for row in rows if end[row] > at_ns]
