"""Who waited for the items of queues, or for room in them, and who ended that."""

from collections.abc import Iterator

from tracer import schema as s
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.waits import GETS, Waits
from viewer.trace.columns import STATE_MASK, TASK_WAIT

_MANY = 500  # waits for one queue: it is not searched who ends them


def ended(waits: Waits, lock: int) -> Iterator[tuple[Who, Who]]:
    """Who waited, however shortly, and who ended that."""
    table, rows = waits.model.states, waits.reading.ledger.waits_of_locks.of(lock)
    for row in rows if len(rows) <= _MANY else ():
        if table.state[row] & STATE_MASK == TASK_WAIT:
            on = waits.tree.ended_by(table.who[row], table.slice[row]).on
            if on is not None and on[0] in ("task", "thread"):
                yield ("task", table.who[row]), on
        elif table.waker[row] >= 0:
            yield ("thread", table.who[row]), ("thread", table.waker[row])


def fed_by(waits: Waits, who: Who) -> set[Who]:
    """All who waited for an item and got it from somebody."""
    of_locks, found = waits.reading.ledger.waits_of_locks, set[Who]()
    for lock in range(len(of_locks.offset) - 1):
        rows = of_locks.of(lock)
        name = waits.reading.wait(rows[0])[0] if len(rows) else ""
        if name.removeprefix(s.AWAIT_PREFIX) in GETS:
            found |= {waiter for waiter, ender in ended(waits, lock) if ender == who}
    return found
