"""Circles: threads or tasks each of which waits for what the next one holds."""

from collections.abc import Container, Iterator, Sequence
from typing import NamedTuple

from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.ledger.rows import is_hold, waits_for_lock
from viewer.analysis.states import marks
from viewer.trace.columns import FAILED, STATE_MASK, TASK_WAIT

_DEEPEST = 64  # members of a circle; longer ways are not followed

type Who = tuple[str, int]  # "thread" or "task", and its index
type CircleKey = frozenset[tuple[int, int]]  # who waits, and for which lock


class Link(NamedTuple):
    """`who` waits (a row of States) for the lock that the next one holds by `hold`."""

    who: Who
    wait: int
    hold: int


class Circle(NamedTuple):
    """All its links exist from `start_ns` to `end_ns`."""

    links: tuple[Link, ...]
    start_ns: int
    end_ns: int
    key: CircleKey


class _Whos:
    """Who waits and who holds, as numbers: a task is the complement of its index, as in a list
    that has threads, the unknown one, and then tasks, the last one first."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.table = ledger, ledger.model.states
        self.unknown = len(ledger.model.threads)
        self.count = self.unknown + 1 + len(ledger.model.owners.task_id)

    def waiting(self, rows: Sequence[int]) -> list[int]:
        """By wait (a row of States) who waits."""
        states, who = self.table.state, self.table.who
        return [~who[row] if states[row] & STATE_MASK == TASK_WAIT else who[row]
                for row in rows]  # fmt: skip

    def holding(self, rows: Sequence[int]) -> list[int]:
        """By hold who holds."""
        owners = [*map(self.table.owner.__getitem__, rows)]
        known = {owner: self._find(owner) for owner in {*owners}}
        return [*map(known.__getitem__, owners)]

    def _find(self, owner: int) -> int:
        table = self.table
        if owner < 0 or table.owner_id[owner] < 0:
            return self.unknown
        id_, process = table.owner_id[owner], table.owner_process[owner]
        if table.owner_is_task[owner]:
            task = self.ledger.task_of(process, id_)
            return ~task if task >= 0 else self.unknown
        thread = self.ledger.thread(process, id_)
        return thread if thread >= 0 else self.unknown


def circles(
    ledger: Ledger, at_least_ns: int, told: Container[CircleKey] = ()
) -> Iterator[Circle]:
    """The circles that last this long, in order of begin; each starts with its first wait.
    None where all waits got what they waited for, and none whose key was told already.

    A circle closes when its last wait or hold begins; the search starts there.
    """
    model, table, engine = ledger.model, ledger.model.states, ledger.model.trace.engine
    mark, failed = marks(model, waits_for_lock), marks(model, lambda state: state & FAILED)
    long_waits = engine.longer(table.start_ns, table.end_ns, mark, at_least_ns)
    slices = engine.take(table.slice, long_waits, -1)
    unfinished = engine.take(model.trace.slices.unfinished, slices, 0)
    if not any(bytes(unfinished)) and not any(bytes(engine.take(failed, long_waits, 0))):
        return
    held = marks(model, is_hold)
    long_holds = engine.longer(table.start_ns, table.end_ns, held, at_least_ns)
    # A circle goes only through locks that are both held and waited for.
    of_holds, of_waits = (engine.take(table.row, of, -1) for of in (long_holds, long_waits))
    both = {*of_holds}.intersection(of_waits)
    if not both:
        return
    columns, whos = (table.row, table.start_ns, table.end_ns), _Whos(ledger)
    lock_of, starts, ends = (column.tolist() for column in columns)
    waits, holds = (
        [row for row in rows.tolist() if lock_of[row] in both]
        for rows in (long_waits, long_holds)
    )
    whos_of = dict(zip(waits, whos.waiting(waits), strict=True))
    whos_of |= zip(holds, whos.holding(holds), strict=True)
    is_hold_ = {*holds}
    wait_of = [-1] * whos.count  # by who waits the last wait that began
    hold_of = [-1] * len(table.lock_id)  # by lock that is held the last hold
    for row in sorted(whos_of):
        first = whos_of[row]
        if row in is_hold_:
            hold_of[lock_of[row]] = row
        else:
            wait_of[first] = row
        until = starts[row] + at_least_ns
        wait = wait_of[first]
        if wait < 0 or ends[wait] < until:
            continue  # as of nearly all
        way: list[tuple[int, int, int]] = []
        who = first
        while wait >= 0 and len(way) < _DEEPEST:
            hold = hold_of[lock_of[wait]]
            if hold < 0 or ends[wait] < until or ends[hold] < until:
                break  # open, over, or not for long enough
            way.append((wait, hold, who))
            who = whos_of[hold]
            wait = wait_of[who]
            if who == first:
                key = frozenset([(one, lock_of[of]) for of, _, one in way])
                if key not in told:
                    yield _circle(way, starts[row], ends, key)
                break


def _circle(
    way: list[tuple[int, int, int]], start_ns: int, ends: Sequence[int], key: CircleKey
) -> Circle:
    """The circle of these waits and holds, from the first wait on."""
    until = min([min(ends[wait], ends[hold]) for wait, hold, _ in way])
    at = way.index(min(way))
    links = [Link(_named(who), wait, hold) for wait, hold, who in (*way[at:], *way[:at])]
    return Circle(tuple(links), start_ns, until, key)


def _named(who: int) -> Who:
    return ("thread", who) if who >= 0 else ("task", ~who)
