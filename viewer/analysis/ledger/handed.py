"""Locks that are signals, or that one thread hands to another."""

from bisect import bisect_left

from viewer.analysis.ledger.ledger import Ledger


def is_signal(ledger: Ledger, lock: int) -> bool:
    """Whether a thread ever released a lock that it did not hold.

    Then it is not a lock but a signal, or handed from one thread to another.
    """
    table, holds = ledger.model.states, ledger.holds
    waits = [*zip(*ledger.waits_for(lock), strict=True)]
    woken = [wait for wait in waits if table.waker[wait[0]] >= 0]
    if not woken:
        return False
    timeline, known = holds.timeline, {-1: -1}
    of_lock = slice(timeline.offset[lock], timeline.offset[lock + 1])
    starts, held = timeline.start_ns[of_lock].tolist(), timeline.row[of_lock].tolist()

    def holder(hold: int) -> int:
        owner = table.owner[hold]
        if owner not in known:
            is_task = table.owner_is_task[owner]
            found = ledger.thread(table.owner_process[owner], table.owner_id[owner])
            known[owner] = -1 if is_task else found
        return known[owner]

    def had_before(waiter: int, since: int, until: int) -> int:
        """The thread that held the lock before this waiter got it; -1 unknown, or a task."""
        place, ends = bisect_left(starts, until) - 1, until
        while place >= 0 and ends > since:
            hold, ends = held[place], starts[place]
            place -= 1
            if hold >= 0 and holds.who[hold] < holds.whos:
                thread = holder(hold)
                if thread != waiter or table.start_ns[hold] <= since:
                    return thread
        return -1

    return any(
        had_before(table.who[row], since, until) not in (-1, table.waker[row])
        for row, since, until in woken
    )
