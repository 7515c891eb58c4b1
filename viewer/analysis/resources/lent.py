"""Queues and conditions as pools that ran dry: who used what came from one."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.takers import is_further_on
from viewer.analysis.resources.waits import Wait, Waits, longest_slices
from viewer.analysis.states import stack_of
from viewer.trace.columns import AWAIT, IO, LARGEST, SLEEP
from viewer.trace.sites import own_frames

_USES_NS = 1_000_000
_WAKES_NS = 5_000_000  # until whoever is woken goes on
_MOST = 2_000  # calls and awaits that are looked at: the last, or the longest ones
_MANAGER = "/contextlib.py:"  # whose `with` enters the function that waits
_CALLERS = 2  # the function that waits, or the one that called it to get something


class _Use(NamedTuple):
    """Somebody was blocked, with what it had got."""

    who: Who
    start_ns: int
    end_ns: int
    stack: tuple[str, ...]


def was_lent(waits: Waits, asked: list[Wait]) -> bool:
    """Whether two or more wait for an item in vain where others got one without having to
    wait, and then used it in the same function, which none of those who wait ever did; or
    where all who got one were given it by such users, of whom some gave none back."""
    last_ns = max((wait.end_ns for wait in asked if not wait.failed), default=0)
    vain = [wait for wait in asked if wait.failed]
    asking = {wait.who for wait in vain}
    if len(asking) < 2 or any(wait.is_open or wait.end_ns <= last_ns for wait in vain):
        return False
    if not last_ns:
        used = users_before(waits, vain[-1])
        return bool(used) and not used & asking
    gave = {wait.ender for wait in asked if not wait.failed}
    return gave <= {use.who for use in _uses(waits, vain)} and bool(kept_since(waits, asked))


def users_before(waits: Waits, wait: Wait) -> set[Who]:
    """Those that, before one begins to wait, were blocked further on in the function in which
    it waits, or in which its `with` is, or which called that one: they had got there what it
    waits for."""
    return {use.who for use in _uses_before(waits, wait, wait.start_ns)}


def kept_since(waits: Waits, asked: list[Wait]) -> set[Who]:
    """Those who used what others waited for meanwhile, and ended none of their waits since,
    or, of a job, until that was over."""
    gave, of = defaultdict[Who | None, list[int]](list), {wait.lock for wait in asked}
    for wait in waits.all:  # also who was woken, and came too late
        if wait.lock in of:
            gave[wait.ender].append(wait.end_ns)
    found = set[Who]()
    for use in _uses(waits, [wait for wait in asked if wait.failed]):
        until = _job_ends(waits, use)
        is_given = any(use.start_ns <= at_ns <= until + _WAKES_NS for at_ns in gave[use.who])
        over = use.end_ns if until == LARGEST else until
        if not is_given and any(one.start_ns < over < one.end_ns for one in asked):
            found.add(use.who)
    return found


def _job_ends(waits: Waits, use: _Use) -> int:
    """When the job ends in which a thread uses something."""
    kind, which = use.who
    jobs = waits.reading.jobs.of_thread.get(which, []) if kind == "thread" else []
    at = bisect_left(jobs, use.start_ns, key=lambda job: job.ended_ns)
    is_in = at < len(jobs) and jobs[at].began_ns <= use.start_ns
    return jobs[at].ended_ns if is_in else LARGEST


def _uses(waits: Waits, vain: list[Wait]) -> list[_Use]:
    """What was used before some gave up, who may wait in several functions."""
    by_stack = {wait.stack: wait for wait in vain}
    return [
        use for wait in by_stack.values() for use in _uses_before(waits, wait, wait.end_ns)
    ]


def _uses_before(waits: Waits, wait: Wait, before_ns: int) -> list[_Use]:
    """Not where that function is all that a thread or task does, as of those who take jobs,
    unless it is a job itself, which is over."""
    entered = [n for n, frame in enumerate(wait.stack) if _MANAGER in frame]
    inside = own_frames(wait.stack[entered[0] :] if entered else wait.stack)
    jobs = waits.reading.jobs.of_thread if wait.who[0] == "thread" else {}
    process, last = waits.process(wait.who), len(inside) - 1
    for n, frame in enumerate(inside[:_CALLERS]):
        if n == last and wait.who[1] not in jobs:
            break
        found = [
            use
            for use in _blocked_before(waits, wait.who[0], before_ns)
            if waits.process(use.who) == process and is_further_on(frame, use.stack)
            if n < last or _job_ends(waits, use) < wait.end_ns
        ]
        if found:
            return found
    return []


def _blocked_before(waits: Waits, kind: str, before_ns: int) -> Iterator[_Use]:
    """What threads called, or tasks awaited, before a time."""
    if kind == "task":
        slices, owner = waits.model.trace.slices, waits.model.owners.owner
        for i in longest_slices(waits.reading, (AWAIT,), _USES_NS, _MOST):
            if owner[i] >= 0 and slices.start_ns[i] < before_ns:
                stack = tuple(waits.reading.stack(i).split("\n"))
                yield _Use(("task", owner[i]), slices.start_ns[i], slices.end_ns[i], stack)
        return
    table, rows = waits.model.states, waits.reading.rows_of((IO, SLEEP), _USES_NS)
    until = bisect_left(rows, before_ns, key=table.start_ns.__getitem__)
    for row in rows[max(0, until - _MOST) : until]:
        stack = tuple(stack_of(waits.model, row).split("\n"))
        yield _Use(("thread", table.who[row]), table.start_ns[row], table.end_ns[row], stack)
