"""Pools of connections, limiters, semaphores: who waits for a slot, and who has them."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterator

from tracer import schema as s
from tracer.units import plural
from viewer.analysis.findings.basis.doing import left_part
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in, sites, users
from viewer.analysis.findings.pools.exhausted import Said, exhausted
from viewer.analysis.findings.pools.leftlocks import never_released
from viewer.analysis.findings.pools.lost import (
    had_one,
    never_returned,
    waits_for_a_waiter,
)
from viewer.analysis.findings.pools.stalled import stalled_slots
from viewer.analysis.findings.servers.overdue import mostly_blocked
from viewer.analysis.findings.vain.endedservers import server_that_failed
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.pools import Pool
from viewer.analysis.resources.pacing import is_batch, is_held_up, sleep_with_one
from viewer.analysis.resources.resource import Hold, Known, Resource
from viewer.analysis.resources.slots import Group, Held, claim_of, groups, holds_of
from viewer.analysis.resources.takers import said, size
from viewer.trace.sites import is_library
from viewer.words import code, stem

_WORKER = "worker"  # a slot that is a thread, for tasks that wait


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
    is_paced = held.in_use > 1 and is_batch(waits, group)
    given_up = given_up_on(facts, holds)
    if is_paced and not (given_up or is_held_up(waits, group) or sleep_with_one(waits, holds)):
        return None
    kept = [(h.who[1], h.start_ns, h.end_ns) for h in holds if h.who[0] == "task"]
    if len(kept) == len(holds) and mostly_blocked(facts, kept):
        return None
    # A job's token is its task's, though the job's thread gives it back.
    had = said(waits, group.waits) or {hold.who for hold in holds}
    found = group.waiters | had
    threads = {hold.who for hold in holds if hold.who[0] == "thread"}
    if group.pool.slot == _WORKER and threads:
        found = group.waiters
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
            who = f"{users(facts.model, group.waiters)} waited for one of"
    words = Said(
        f"{who} {slots} of {pool.of}. {plural(len(group.waits), 'wait')} in "
        f"{sites(group.waits)} lost",
        f"Each {pool.slot} goes to the next waiter after",
        f"{given_up}Hold it for less time, or raise the number of {pool.slot}s.",
    )
    resource = Resource(Known.ENDED, [*map(claim_of, group.waits)], holds, known)
    return exhausted(facts, resource, words)._replace(evidence=waits.evidence(worst))


def _number(pool: Pool, held: Held, workers: Collection[Who]) -> str:
    """`2 permits`, `at least 2 permits`, or `the permits` where nothing tells how many."""
    if pool.slot == _WORKER and workers:
        return plural(len(workers), pool.slot)
    # Of two greenlets that end at once, only one is seen to let the next one in.
    is_sure = pool.slot != _WORKER or held.in_use > 1
    if held.at_least == held.in_use and is_sure:
        return plural(held.in_use, pool.slot)
    if held.at_least > 1:
        return f"at least {plural(held.at_least, pool.slot)}"
    return f"the {pool.slot}s"


# Half of those who had a slot; who made a task awaits it at once.
_JUST_NS = 5_000_000
_HALF = 2
_GATHER = f"{s.AWAIT_PREFIX}gather"


def given_up_on(facts: Facts, holds: list[Hold]) -> str:
    """`8 of them had been given up by `save` in `save` (app.py:15) before: …`; "" else."""
    ledger = facts.ledger
    by_parent: dict[int, list[Hold]] = defaultdict(list)
    for hold in holds:
        kind, task = hold.who
        if kind == "task" and (parent := ledger.parent_of(task)) >= 0:
            by_parent[parent].append(hold)
    awaits = facts.awaits({*by_parent}) if by_parent else {}
    found: dict[tuple[str, str], set[Who]] = defaultdict(set)
    for parent, of in by_parent.items():
        for hold in of:
            if site := _gave_up_at(facts, hold, parent, awaits.get(parent, [])):
                found[stem(name_of(facts.model, ("task", parent))), site].add(hold.who)
    tasks = {hold.who for hold in holds}
    for (name, site), given_up in found.items():
        if len(given_up) * _HALF >= len(tasks):
            return (
                f"{users(facts.model, given_up)} went on though {code(name)}"
                f"{place_in(site)}, which had made them, had given up: cancel what nobody "
                f"waits for (`TaskGroup`, no `shield`), or wait for longer. "
            )
    return ""


def _gave_up_at(facts: Facts, hold: Hold, parent: int, awaits: list[int]) -> str:
    """Where the maker of a task awaited it and gave up before its end; "" nowhere."""
    slices, waits = facts.model.trace.slices, LongWaits.of(facts)
    born = waits.begins_ns(hold.who)
    first = bisect_left(awaits, born, key=slices.start_ns.__getitem__)
    if first == len(awaits):
        return ""
    i = awaits[first]
    is_its = slices.start_ns[i] - born <= _JUST_NS and slices.end_ns[i] < hold.end_ns
    what, site = facts.awaited(i)
    # `gather` ends before one of its tasks as another one fails.
    by = waits.tree.ended_by(parent, i).on if what == _GATHER else None
    has_failed = by is not None and _failed(facts, by)
    return site if is_its and (has_failed or waits.gave_up(parent, i)) else ""


def _failed(facts: Facts, who: tuple[str, int]) -> bool:
    return who[0] == "task" and facts.ledger.how_it_ended(who[1]).startswith(s.FAILED_PREFIX)
