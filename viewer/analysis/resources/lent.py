"""Queues as pools that ran dry before anybody had to wait: who used what came from one."""

from bisect import bisect_left
from collections.abc import Iterator

from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.takers import is_further_on
from viewer.analysis.resources.waits import Wait, Waits, longest_slices
from viewer.analysis.states import stack_of
from viewer.trace.columns import AWAIT, IO, SLEEP
from viewer.trace.sites import own_frames

_USES_NS = 1_000_000
_MOST = 2_000  # calls and awaits that are looked at: the last, or the longest ones
_MANAGER = "/contextlib.py:"  # whose `with` enters the function that waits
_CALLERS = 2  # the function that waits, or the one that called it to get something


def was_lent(waits: Waits, asked: list[Wait]) -> bool:
    """Whether two or more wait for an item in vain where others got one without having to
    wait, and then used it in the same function, which none of those who wait ever did."""
    asking = {wait.who for wait in asked}
    if len(asking) < 2 or any(not wait.failed or wait.is_open for wait in asked):
        return False
    used = users_before(waits, asked[-1])
    return bool(used) and not used & asking


def users_before(waits: Waits, wait: Wait) -> set[Who]:
    """Those that, before one begins to wait, were blocked further on in the function in which
    it waits, or in which its `with` is, or which called that one: they had got there what it
    waits for. Not where that function is all that a thread or task does, as of those who take
    jobs."""
    entered = [n for n, frame in enumerate(wait.stack) if _MANAGER in frame]
    inside = own_frames(wait.stack[entered[0] :] if entered else wait.stack)
    process = waits.process(wait.who)
    for frame in inside[:-1][:_CALLERS]:
        found = {
            who
            for who, stack in _blocked_before(waits, wait.who[0], wait.start_ns)
            if waits.process(who) == process and is_further_on(frame, stack)
        }
        if found:
            return found
    return set()


def _blocked_before(
    waits: Waits, kind: str, before_ns: int
) -> Iterator[tuple[Who, tuple[str, ...]]]:
    """What threads called, or tasks awaited, before a time: who did, with the stack."""
    if kind == "task":
        slices, owner = waits.model.trace.slices, waits.model.owners.owner
        for i in longest_slices(waits.reading, (AWAIT,), _USES_NS, _MOST):
            if owner[i] >= 0 and slices.start_ns[i] < before_ns:
                yield ("task", owner[i]), tuple(waits.reading.stack(i).split("\n"))
        return
    table, rows = waits.model.states, waits.reading.rows_of((IO, SLEEP), _USES_NS)
    until = bisect_left(rows, before_ns, key=table.start_ns.__getitem__)
    for row in rows[max(0, until - _MOST) : until]:
        yield ("thread", table.who[row]), tuple(stack_of(waits.model, row).split("\n"))
