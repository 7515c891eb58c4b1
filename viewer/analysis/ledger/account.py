"""The account: what the occupants of each resource cost those who waited for it.

Takes one sweep per resource. The rows of a lane add up to the waits for it, to the ns.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.ledger.resource import Resource, Waits
from viewer.analysis.ledger.rows import waits_for_lock
from viewer.analysis.states import keys, numbers
from viewer.trace.columns import GIL_WAIT, READY, STATE_MASK
from viewer.trace.model import Model


class Kind(StrEnum):
    """What a thread or task can wait for."""

    LOOP = "loop"
    GIL = "gil"
    LOCK = "lock"


class Row(NamedTuple):
    """What an occupant of a lane cost: `lost_ns` of all waits it met, `longest_ns` of one.

    `who` is its number in the resource, possibly `nobody`, `unknown` or `others`.
    """

    kind: Kind
    lane: int
    who: int
    lost_ns: int
    waits: int
    longest_ns: int


def waits_of(ledger: Ledger, kind: Kind) -> tuple[Resource, Waits]:
    """A resource, and the waits for it by lane. None without known holders."""
    model, table = ledger.model, ledger.model.states
    if kind is Kind.LOOP:
        loops = len(model.loops)
        lane = ledger.waiting_for_loop(READY)
        slices = model.trace.slices
        return ledger.loops, Waits(slices.start_ns, slices.end_ns, lane, lane, loops)
    if kind is Kind.GIL:
        lane = keys(model, _waits_for_gil, table.who, model.thread_process)
        processes = len(model.trace.processes)
        return ledger.gil_by_thread, Waits(table.start_ns, table.end_ns, lane, lane, processes)
    locks = len(table.lock_id)
    held = numbers(lock if ledger.holds.has(lock) else -1 for lock in range(locks))
    lane = keys(model, waits_for_lock, table.row, held)
    return ledger.holds, Waits(table.start_ns, table.end_ns, lane, lane, locks)


def account(model: Model) -> Iterator[Row]:
    """All rows, by resource."""
    ledger = Ledger.of(model)
    for kind in Kind:
        resource, waits = waits_of(ledger, kind)
        charges = resource.charge(waits)
        columns = (charges.key, charges.who, charges.total, charges.count, charges.longest)
        for row in zip(*columns, strict=True):
            yield Row(kind, *row)


def _waits_for_gil(state: int) -> bool:
    return state & STATE_MASK == GIL_WAIT
