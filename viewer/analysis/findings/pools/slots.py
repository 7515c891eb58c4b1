"""Pools of connections, limiters, semaphores: who waits for a slot, and who has them."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator
from itertools import pairwise, repeat, takewhile

from tracer import schema as s
from tracer.units import plural
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.taken import left_part
from viewer.analysis.findings.basis.waits import LongWaits, sites, users
from viewer.analysis.findings.pools.exhausted import LOST_NS, Said, exhausted
from viewer.analysis.findings.pools.lost import (
    had_one,
    never_released,
    never_returned,
    waits_for_a_waiter,
)
from viewer.analysis.findings.pools.stalled import stalled_slots
from viewer.analysis.findings.pools.unawaited import given_up_on
from viewer.analysis.findings.servers.overdue import mostly_blocked
from viewer.analysis.findings.vain.failed import server_that_failed
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.pools import Pool
from viewer.analysis.resources.resource import Hold, Known, Resource
from viewer.analysis.resources.slots import HOME_MADE, Group, Held, claim_of, groups, holds_of
from viewer.analysis.resources.takers import said, size
from viewer.analysis.resources.waits import Wait
from viewer.analysis.waited import For, waited_for
from viewer.trace.columns import AWAIT
from viewer.trace.sites import is_library

_MS = 1_000_000
# Short jobs behind long ones: ten times as long, and nobody got a slot for most of the wait.
_LONGER = 10
_STILL = 8, 10
_APART_NS = 5 * _MS
_ONE_BY_ONE = 8
_WORKER = "worker"  # a slot that is a thread, for tasks that wait
_SOME = 40  # holds that are looked at
_LOOKED = 200  # waits that are
_RETRIES = ("-packages/tenacity/", "-packages/backoff/", "-packages/stamina/")


def slot_findings(facts: Facts) -> Iterator[Finding]:
    """Pools that are too small or kept too long, and slots that never come back."""
    waits = LongWaits.of(facts)
    for group in groups(waits):
        untold = sum(wait.ns for wait in group.waits if wait.slice not in waits.told)
        if untold < LOST_NS or _is_librarys(group):
            continue
        if server_that_failed(facts, group.waits) is not None:
            continue  # told already
        lost = (
            never_returned(facts, waits, group)
            or had_one(facts, waits, group)
            or waits_for_a_waiter(facts, waits, group)
            or stalled_slots(facts, waits, group)
        )
        if lost is not None:
            yield lost
        elif (found := _exhausted(facts, waits, group)) is not None:
            yield found
    yield from never_released(facts, waits)


def _is_librarys(group: Group) -> bool:
    """Whether a library paces its own threads by a semaphore: no line of the program is on a
    stack of those who wait."""
    frames = [frame for wait in group.waits for frame in wait.stack if frame]
    return group.pool.slot == "permit" and bool(frames) and all(map(is_library, frames))


def _exhausted(facts: Facts, waits: LongWaits, group: Group) -> Finding | None:
    held = holds_of(group.waits, waits, group.pool.slot)
    holds = held.holds
    if not holds:
        return None
    is_paced = held.in_use > 1 and _is_batch(facts, group)
    if is_paced and not (_is_held_up(waits, group) or _sleep_with_one(facts, holds)):
        return None
    kept = [(h.who[1], h.start_ns, h.end_ns) for h in holds if h.who[0] == "task"]
    if len(kept) == len(holds) and mostly_blocked(facts, kept):
        return None
    # A job's token is its task's, though the job's thread gives it back.
    had = said(waits, group.waits) or {hold.who for hold in holds}
    found = {wait.who for wait in group.waits} | had
    threads = {hold.who for hold in holds if hold.who[0] == "thread"}
    if group.pool.slot == _WORKER and threads:
        found = {wait.who for wait in group.waits}
        holds = [hold for hold in holds if hold.who in threads]
    times = [(hold.who, hold.start_ns, hold.end_ns) for hold in holds]
    if group.ns * left_part(facts, times) < LOST_NS:
        return None
    pool, slots = group.pool, _number(group.pool, held, threads)
    worst = max(group.waits, key=lambda wait: wait.ns)
    who = f"{users(facts.model, found)} share"
    if known := size(waits, worst):
        slots = plural(known, pool.slot)
        if known >= len(found):  # others have them
            waiting = {wait.who for wait in group.waits}
            who = f"{users(facts.model, waiting)} waited for one of"
    words = Said(
        f"{who} {slots} of {pool.of}. {plural(len(group.waits), 'wait')} in "
        f"{sites(group.waits)} lost",
        f"Each {pool.slot} goes to the next who waits after",
        f"{given_up_on(facts, holds)}Keep it for less time, or raise the number of "
        f"{pool.slot}s.",
    )
    resource = Resource(Known.ENDED, [*map(claim_of, group.waits)], holds, known)
    return exhausted(facts, resource, words)._replace(evidence=waits.evidence(worst))


def _number(pool: Pool, held: Held, workers: Collection[Who]) -> str:
    """`2 permits`, `at least 2 permits`, or `the permits` where nothing tells how many."""
    if pool.slot == _WORKER and workers:
        return plural(len(workers), pool.slot)
    if held.at_least == held.in_use:
        return plural(held.in_use, pool.slot)
    if held.at_least > 1:
        return f"at least {plural(held.at_least, pool.slot)}"
    return f"the {pool.slot}s"


def _is_batch(facts: Facts, group: Group) -> bool:
    """Whether a semaphore, or what is like one, only paces tasks that one other task made and
    waits for."""
    if group.pool.slot != "permit" and group.pool != HOME_MADE:
        return False
    owned, sites = facts.model.owners, {wait.site for wait in group.waits}
    parents = {
        owned.task_parent[which] if kind == "task" else -1
        for kind, which in (wait.who for wait in group.waits)
    }
    is_of_one = len(sites) == 1 and len(parents) == 1 and -1 not in parents
    return is_of_one and not come_over_time(facts, group.waits)


def come_over_time(facts: Facts, waits: list[Wait]) -> bool:
    """Whether the waiters were made one by one, and some of them when others had got a slot
    and given it back: as requests come, not as a batch."""
    owned, starts = facts.model.owners, facts.model.trace.slices.start_ns
    tasks = {which for _, which in (wait.who for wait in waits)}
    births = sorted(starts[owned.task_head[task]] for task in tasks)
    apart = sum(b - a >= _APART_NS for a, b in pairwise(births))
    first_ns = min(wait.end_ns for wait in waits)
    late = len(births) - bisect_right(births, first_ns)
    return apart >= _ONE_BY_ONE and late * 2 >= len(births)


def _is_held_up(waits: LongWaits, group: Group) -> bool:
    """Whether short jobs of a batch wait for long ones: most of the loss is theirs who waited
    while nobody got a slot, each time ten times as long as they then needed theirs."""
    ends = sorted(wait.end_ns for wait in group.waits)
    looked = group.waits[:: len(group.waits) // _LOOKED + 1]
    lost = sum(wait.ns for wait in looked if _stands_still(ends, wait, waits))
    return lost * 2 >= sum(wait.ns for wait in looked)


def _stands_still(ends: list[int], wait: Wait, waits: LongWaits) -> bool:
    """Whether others got slots seldom while somebody waited who needed one for a moment."""
    needed_ns = waits.ends_ns(wait.who) - wait.end_ns
    met = ends[bisect_right(ends, wait.start_ns) : bisect_right(ends, wait.end_ns)]
    pauses = (end - start for start, end in pairwise([wait.start_ns, *met]))
    still_ns = sum(pause for pause in pauses if pause >= needed_ns * _LONGER)
    return still_ns * _STILL[1] >= wait.ns * _STILL[0]


def _sleep_with_one(facts: Facts, holds: list[Hold]) -> bool:
    """Whether those who have a slot keep it asleep: once their work is done (they wait for
    something outside first, and then sleep for most of the time), or between attempts."""
    longest = sorted(holds, key=lambda hold: hold.start_ns - hold.end_ns)[:_SOME]
    awaits = [_awaits_in(facts, hold) for hold in longest]
    last = sum(map(_sleeps_last, repeat(facts), longest, awaits))
    between = sum(map(_backs_off, repeat(facts), longest, awaits))
    return last * _STILL[1] >= len(longest) * _STILL[0] or between * 2 >= len(longest)


def _awaits_in(facts: Facts, hold: Hold) -> list[int]:
    """The awaits of a task that begin while it has a slot."""
    kind, task = hold.who
    if kind != "task":
        return []
    rows = facts.ledger.rows_of_tasks
    low, high = rows.offset[task], rows.offset[task + 1]
    first = bisect_left(rows.start_ns, hold.start_ns, low, high)
    last = bisect_left(rows.start_ns, hold.end_ns, first, high)
    return [i for i in rows.row[first:last] if facts.model.owners.kind[i] == AWAIT]


def _sleeps_last(facts: Facts, hold: Hold, awaits: list[int]) -> bool:
    kinds = [waited_for(facts.awaited(i)[0].removeprefix(s.AWAIT_PREFIX)) for i in awaits]
    if For.OUTSIDE not in kinds or kinds[-1] is not For.CLOCK:
        return False
    return _is_half(facts, awaits[-1], hold)


def _backs_off(facts: Facts, hold: Hold, awaits: list[int]) -> bool:
    """Whether a library that tries again sleeps for most of the time."""
    return any(_is_half(facts, i, hold) and _of_retries(facts, i) for i in awaits)


def _is_half(facts: Facts, i: int, hold: Hold) -> bool:
    slices = facts.model.trace.slices
    return (slices.end_ns[i] - slices.start_ns[i]) * 2 >= hold.end_ns - hold.start_ns


def _of_retries(facts: Facts, i: int) -> bool:
    """Whether such a library itself sleeps, not what it calls."""
    if waited_for(facts.awaited(i)[0].removeprefix(s.AWAIT_PREFIX)) is not For.CLOCK:
        return False
    frames = facts.model.trace.text_of_slice(i, s.ARG_STACK).split("\n")
    inner = takewhile(is_library, frames)
    return any(library in frame for frame in inner for library in _RETRIES)
