"""Slots whose holders wait for those who wait for a slot, until a time-out ends it."""

from collections import defaultdict

from tracer.units import duration
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in, sites
from viewer.analysis.findings.basis.words import in_total
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.slots import Group, holds_of
from viewer.analysis.resources.waits import Wait
from viewer.words import code

_MS = 1_000_000
# The holder waits for the other for nearly all of the time until that one gives up. A short
# time-out is how some ask whether there is a slot.
_COVERED = 8, 10
_GAVE_UP_NS = 200 * _MS


def waits_for_a_waiter(facts: Facts, waits: LongWaits, group: Group) -> Finding | None:
    """Whoever has a slot waits for somebody that gave up on waiting for one."""
    gave_up = defaultdict[Who, list[Wait]](list)
    for wait in group.waits:
        if wait.failed and not wait.is_open and wait.ns >= _GAVE_UP_NS:
            gave_up[wait.who].append(wait)
    if not gave_up:
        return None
    of_holders = defaultdict[Who, list[Wait]](list)
    holds = holds_of(group.waits, waits, group.pool.slot).holds
    holders = {hold.who for hold in holds}
    for wait in (*waits.all, *waits.for_tasks):
        if wait.who in holders and wait.ender in gave_up:
            of_holders[wait.who].append(wait)
    for hold in holds:
        for outer in of_holders[hold.who]:
            for wait in gave_up[outer.ender] if outer.ender is not None else ():
                until = min(outer.end_ns, hold.end_ns, wait.end_ns)
                met = until - max(outer.start_ns, hold.start_ns, wait.start_ns)
                if met * _COVERED[1] >= wait.ns * _COVERED[0]:
                    return _finding(facts, waits, group, outer, wait)
    return None


def _finding(
    facts: Facts, waits: LongWaits, group: Group, outer: Wait, inner: Wait
) -> Finding:
    model, slot = facts.model, group.pool.slot
    worst = max(group.waits, key=lambda wait: wait.ns)
    text = (
        f"Deadlock: {code(name_of(model, outer.who))} had a {slot} of {group.pool.of} and "
        f"waited in `{outer.name}`{place_in(outer.site)} for "
        f"{code(name_of(model, inner.who))}, which waited for one itself"
        f"{place_in(inner.site)}: that ended only when it gave up after "
        f"{duration(inner.ns)}. All waits for a {slot} in {sites(group.waits)} lost "
        f"{in_total(facts, group.ns, worst.ns, worst.start_ns)}. Give the {slot} back before "
        f"such a wait, or let what is waited for do without one."
    )
    waits.told.update(wait.slice for wait in (*group.waits, outer))
    return Finding("deadlock", group.ns, text, waits.evidence(inner))
