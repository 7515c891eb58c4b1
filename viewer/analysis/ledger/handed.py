"""Locks that are signals, or that one thread hands to another."""

from bisect import bisect_left
from itertools import repeat

from viewer.analysis.ledger.ledger import Ledger

_NONE = -2  # nobody held it, or it is not known who did


def is_signal(ledger: Ledger, lock: int) -> bool:
    """Whether a thread ever released a lock that it did not hold.

    Then it is not a lock but a signal, or handed from one thread to another.
    """
    table, holds = ledger.model.states, ledger.holds
    rows, begins, ends = ledger.waits_for(lock)
    wakers = [*map(table.waker.__getitem__, rows)]
    if max(wakers, default=-1) < 0:
        return False
    timeline, take = holds.timeline, ledger.model.trace.engine.take
    of_lock = slice(timeline.offset[lock], timeline.offset[lock + 1])
    starts, held = timeline.start_ns[of_lock].tolist(), timeline.row[of_lock]
    owners = take(holds.who, held, _NONE).tolist()

    def thread_of(owner: int) -> int:
        """-1 unknown, or a task."""
        if owner == _NONE or owner >= holds.whos:
            return _NONE
        if owner < 0 or table.owner_is_task[owner]:
            return -1
        return ledger.thread(table.owner_process[owner], table.owner_id[owner])

    of_owner = {owner: thread_of(owner) for owner in {*owners}}
    threads = [*map(of_owner.__getitem__, owners)]

    def had_before(place: int, waiter: int, since: int, until: int) -> int:
        """The thread that held the lock before this waiter got it; -1 unknown, or a task."""
        while place >= 0 and until > since:
            thread, until = threads[place], starts[place]
            is_other = thread != waiter or table.start_ns[held[place]] <= since
            if thread != _NONE and is_other:
                return thread
            place -= 1
        return -1

    places = map(bisect_left, repeat(starts), ends)
    for row, since, until, waker, after in zip(
        rows, begins, ends, wakers, places, strict=True
    ):
        if waker < 0 or (after and waker == threads[after - 1] != table.who[row]):
            continue  # nearly always
        if had_before(after - 1, table.who[row], since, until) not in (-1, waker):
            return True
    return False
