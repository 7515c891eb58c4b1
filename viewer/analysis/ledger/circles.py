"""Circles: threads or tasks each of which waits for what the next one holds."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.ledger.rows import is_hold, waits_for_lock
from viewer.analysis.states import marks
from viewer.trace.columns import STATE_MASK, TASK_WAIT

_DEEPEST = 64  # members of a circle; longer ways are not followed

type Who = tuple[str, int]  # "thread" or "task", and its index


class Link(NamedTuple):
    """`who` waits (a row of States) for the lock that the next one holds by `hold`."""

    who: Who
    wait: int
    hold: int


@dataclass(frozen=True, slots=True)
class Circle:
    """All its links exist from `start_ns` to `end_ns`."""

    links: tuple[Link, ...]
    start_ns: int
    end_ns: int


class _Now:
    """Who waits for which lock at a moment, and who holds it."""

    def __init__(self, ledger: Ledger) -> None:
        self.table = ledger.model.states
        self.ledger = ledger
        self.owners: dict[int, Who | None] = {}
        self.wait_of: dict[Who, int] = {}
        self.hold_of: dict[int, int] = {}  # by lock

    def waiter(self, row: int) -> Who:
        is_task = self.table.state[row] & STATE_MASK == TASK_WAIT
        return "task" if is_task else "thread", self.table.who[row]

    def owner(self, hold: int) -> Who | None:
        """The holder of a hold; None when it is unknown."""
        owner = self.table.owner[hold]
        if owner not in self.owners:
            self.owners[owner] = self._who(owner)
        return self.owners[owner]

    def _who(self, owner: int) -> Who | None:
        table = self.table
        if owner < 0 or table.owner_id[owner] < 0:
            return None
        id_, process = table.owner_id[owner], table.owner_process[owner]
        if table.owner_is_task[owner]:
            task = self.ledger.task_of(process, id_)
            return ("task", task) if task >= 0 else None
        thread = self.ledger.thread(process, id_)
        return ("thread", thread) if thread >= 0 else None

    def change(self, row: int, *, is_wait: bool, is_begin: bool) -> Who | None:
        """Begins or ends a wait or hold; returns who may be in a new circle."""
        who = self.waiter(row) if is_wait else self.owner(row)
        lock = self.table.row[row]
        if is_begin:
            if is_wait and who is not None:
                self.wait_of[who] = row
            elif not is_wait:
                self.hold_of[lock] = row
            return who
        if is_wait and who is not None and self.wait_of.get(who) == row:
            del self.wait_of[who]
        elif not is_wait and self.hold_of.get(lock) == row:
            del self.hold_of[lock]
        return None

    def circle(self, first: Who) -> list[Link]:
        """The circle that `first` is in, if any."""
        links: list[Link] = []
        who: Who | None = first
        if first not in self.wait_of:
            return []
        while len(links) < _DEEPEST:
            wait = -1 if who is None else self.wait_of.get(who, -1)
            hold = self.hold_of.get(self.table.row[wait], -1) if wait >= 0 else -1
            if who is None or hold < 0:
                return []
            links.append(Link(who, wait, hold))
            who = self.owner(hold)
            if who == first:
                return links
        return []


def circles(ledger: Ledger, at_least_ns: int) -> Iterator[Circle]:
    """The circles that last this long, in order of begin; each starts with its first wait.

    A circle closes when its last wait or hold begins; the search starts there.
    """
    table, engine = ledger.model.states, ledger.model.trace.engine
    wait = marks(ledger.model, waits_for_lock)
    long_waits = engine.longer(table.start_ns, table.end_ns, wait, at_least_ns)
    if not long_waits:
        return
    held = marks(ledger.model, is_hold)
    long_holds = engine.longer(table.start_ns, table.end_ns, held, at_least_ns)
    # A circle goes only through locks that are both held and waited for.
    both = {table.row[row] for row in long_holds} & {table.row[row] for row in long_waits}
    waits, holds = (
        [row for row in rows if table.row[row] in both] for rows in (long_waits, long_holds)
    )
    now = _Now(ledger)
    is_wait = bytes(wait)
    begins = [(table.start_ns[row], 1, row) for row in (*waits, *holds)]
    ends = [(table.end_ns[row], 0, row) for row in (*waits, *holds)]
    for time_ns, is_begin, row in sorted([*begins, *ends]):
        who = now.change(row, is_wait=bool(is_wait[row]), is_begin=bool(is_begin))
        links = now.circle(who) if who is not None else []
        if not links:
            continue
        until = min(min(table.end_ns[w], table.end_ns[h]) for _, w, h in links)
        if until - time_ns >= at_least_ns:
            first = min(range(len(links)), key=lambda n: links[n].wait)
            yield Circle((*links[first:], *links[:first]), time_ns, until)
