"""Circles: threads or tasks each of which waits for what the next one holds."""

from collections.abc import Container, Iterator
from itertools import compress
from typing import NamedTuple

from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.ledger.rows import is_hold, waits_for_lock
from viewer.analysis.states import marks
from viewer.trace.columns import FAILED, STATE_MASK, TASK_WAIT, Column

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

    def of(self, rows: Column, is_held: bytes) -> list[int]:
        """By wait (a row of States) who waits, by hold who holds."""
        columns = (self.table.state, self.table.who, self.table.owner)
        take = self.ledger.model.trace.engine.take
        states, who, owners = (take(column, rows, 0).tolist() for column in columns)
        known = {owner: self._find(owner) for owner in {*compress(owners, is_held)}}
        return [
            known[owner] if held else ~one if state & STATE_MASK == TASK_WAIT else one
            for held, state, one, owner in zip(is_held, states, who, owners, strict=True)
        ]

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
    both = {*of_holds}.intersection(of_waits) - {-1}
    if not both:
        return
    is_both = memoryview(bytearray(len(table.lock_id)))
    for lock in both:
        is_both[lock] = 1
    of_locks = marks(model, lambda state: waits_for_lock(state) or is_hold(state))
    long = engine.longer(table.start_ns, table.end_ns, of_locks, at_least_ns)
    rows = engine.pick(long, table.row, is_both)  # from here on known by their places in it
    columns = (table.row, table.start_ns, table.end_ns)
    lock_of, starts, ends = (engine.take(column, rows, 0).tolist() for column in columns)
    is_held, whos = bytes(engine.take(held, rows, 0)), _Whos(ledger)
    who_of = whos.of(rows, is_held)
    wait_of = [-1] * whos.count  # by who waits the last wait that began
    hold_of = [-1] * len(table.lock_id)  # by lock that is held the last hold
    every = zip(starts, who_of, lock_of, is_held, strict=True)
    for place, (start_ns, first, lock, is_hold_) in enumerate(every):
        until = start_ns + at_least_ns
        if is_hold_:
            hold_of[lock] = place
        else:
            wait_of[first] = place
        wait = wait_of[first]
        if wait < 0 or ends[wait] < until:
            continue  # as of nearly all
        way: list[int] = []
        while wait >= 0 and len(way) < _DEEPEST:
            hold = hold_of[lock_of[wait]]
            if hold < 0 or ends[wait] < until or ends[hold] < until:
                break  # open, over, or not for long enough
            way.append(wait)
            who = who_of[hold]
            wait = wait_of[who]
            if who == first:
                key = frozenset([(who_of[one], lock_of[one]) for one in way])
                if key not in told:
                    way = [*way[way.index(min(way)) :], *way[: way.index(min(way))]]
                    holds = [hold_of[lock_of[one]] for one in way]
                    links = [
                        Link(_named(who_of[one]), rows[one], rows[hold])
                        for one, hold in zip(way, holds, strict=True)
                    ]
                    end_ns = min(ends[one] for one in (*way, *holds))
                    yield Circle(tuple(links), start_ns, end_ns, key)
                break


def _named(who: int) -> Who:
    return ("thread", who) if who >= 0 else ("task", ~who)
