"""Awaits for messages of a connection, also by way of a queue."""

from tracer import schema as s
from viewer.analysis.resources.waits import GETS, Waits
from viewer.trace.columns import AWAIT, STATE_MASK

_INPUTS = tuple(f"{s.AWAIT_PREFIX}{what} (" for what in s.LIBRARY_CALLERS)
_READS = "StreamReader._wait_for_data"
_LOOKED = 200  # waits of one queue or task


def is_input(waits: Waits, i: int) -> bool:
    """Whether a task awaits a message: of a connection, or from a queue at which it alone
    waits and into which somebody puts what it gets from a connection."""
    what = waits.reading.what(i)
    return _is_message(waits, i) or (what in GETS and _is_relayed(waits, i))


def _is_message(waits: Waits, i: int) -> bool:
    what = waits.reading.awaited(i)[0]
    is_read = what == f"{s.AWAIT_PREFIX}socket"
    return what.startswith(_INPUTS) or (is_read and _READS in waits.reading.stack(i))


class _Queues(dict[int, bool]):
    """By lock of a queue, found once, whether what it brings one task are messages."""


def _is_relayed(waits: Waits, i: int) -> bool:
    lanes = waits.tree.lanes
    if (row := lanes.task_waits.get(i, -1)) < 0:
        return False
    known = waits.model.derive(_Queues, _Queues)
    lock = waits.model.states.row[row]
    if lock not in known:
        known[lock] = _brings_messages(waits, lock, waits.model.owners.owner[i])
    return known[lock]


def _brings_messages(waits: Waits, lock: int, task: int) -> bool:
    of_locks, table = waits.reading.ledger.waits_of_locks, waits.model.states
    rows = of_locks.of(lock)[:_LOOKED]
    is_alone = len({(table.state[one] & STATE_MASK, table.who[one]) for one in rows}) == 1
    return is_alone and any(_relays(waits, task, table.slice[one]) for one in rows)


def _relays(waits: Waits, task: int, i: int) -> bool:
    """Whether a task that awaits messages ended an await."""
    by, kind = waits.tree.ended_by(task, i).on, waits.model.owners.kind
    if by is None or by[0] != "task":
        return False
    of, which = waits.reading.ledger.rows_of_tasks, by[1]
    own = of.of(which)[:_LOOKED]
    return any(kind[one] == AWAIT and _is_message(waits, one) for one in own)
