"""Slots and locks that never come back: who waits in vain, and who had them last."""

from tracer.units import duration, plural
from viewer.analysis.findings.basis.doing import doing, mostly
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import (
    LongWaits,
    around,
    name_of,
    place_in,
    sites,
    users,
)
from viewer.analysis.findings.basis.words import at, in_total
from viewer.analysis.findings.outside.reconnects import unreachable
from viewer.analysis.resources import takers
from viewer.analysis.resources.kept import (
    Has,
    InVain,
    Kept,
    freed_too_late,
    holder_that_awaits,
    kept,
    owed,
)
from viewer.analysis.resources.slots import OWN_SLOT, Group
from viewer.analysis.resources.waits import Wait
from viewer.words import code

# A slot that does not come back: half a second was lost in waits that all ended in vain.
_CLEAR = 80  # per cent: what those who may have a slot did is told when it is one thing
_STEPS = {
    Has.WAITS: "Who holds a {slot} must not wait for another one of the same pool: give it "
    "back before, or use a second pool.",
    Has.LOOP: "What blocks a loop must not wait for its tasks: use asyncio's own `Semaphore` "
    "or pool, or wait in a thread (`await asyncio.to_thread(...)`).",
    Has.AWAITS: "Give the {slot} back before waiting for somebody who needs one.",
    Has.CALLS: "What a thread calls on the loop (`from_thread.run`) must not need another "
    "thread of that limiter: give it one of its own, or call the function itself in the "
    "thread.",
}
_GIVE_BACK = "A {slot} must be given back whatever happens: with `with`, or in a `finally`."
_USED = (Has.USES, Has.STAYS)


def never_returned(facts: Facts, waits: LongWaits, group: Group) -> Finding | None:
    """Waits that end in vain since somebody took a slot and did not give it back."""
    vain, served = InVain.of(group)
    lost, last_ns = sum(wait.ns for wait in vain), max((w.end_ns for w in served), default=0)
    if lost < LOST_NS or (served and max(w.end_ns for w in vain) - last_ns < LOST_NS):
        return None
    found = kept(waits, group, vain, served)
    if found.has in _STEPS:
        return _deadlock(facts, waits, group, vain, found)
    if found.has in _USED:
        return _kept_too_long(facts, waits, group, vain, found)
    if not served and (nobody := unreachable(facts, waits, group, vain)) is not None:
        return nobody
    waits.told.update(wait.slice for wait in vain)
    worst, slot = max(vain, key=lambda wait: wait.ns), group.pool.slot
    ends = "and still wait" if all(wait.is_open for wait in vain) else "and gave up"
    text = (
        f"Slots never returned: {users(facts.model, (wait.who for wait in vain))} waited for "
        f"a {slot} of {group.pool.of} in {sites(vain)} {ends}: {_cost(facts, vain)}. Nobody "
        f"gave one back in that time"
    )
    if cut := takers.cut_short(waits, vain):
        asked = place_in(next(iter(cut.values())))
        text += (
            f"; {users(facts.model, cut)} had asked for one{asked} and "
            f"{'was' if len(cut) == 1 else 'were'} cancelled before that: a {slot} may be "
            f"lost with {'it' if len(cut) == 1 else 'them'}"
        )
    elif had := found.by:
        are_gone = all(waits.ends_ns(who) < worst.end_ns - LOST_NS for who in had)
        now = mostly(facts, [(who, worst.start_ns, worst.end_ns) for who in had])
        is_new = now.most >= _CLEAR and worst.name not in now.text
        did = ", and ended" if are_gone else f", {now.text}" if is_new else ""
        text += f"; {users(facts.model, had)} held one last{place_in(found.taken_at)}{did}"
    elif takers.are_all(waits, vain):
        text += "; nobody else is known to have used the pool before"
    if (other := owed(waits, worst)) is not None:
        who = f"{code(name_of(facts.model, other.who))}{place_in(other.site)}"
        text += f"; {who} waited for that to end: if it has one, it never gives it back"
    asks_again = found.taken_at and found.by <= {wait.who for wait in vain}
    step = _STEPS[Has.WAITS] if asks_again else _GIVE_BACK
    text += f". {step.format(slot=slot)}"
    return Finding("slots never returned", lost, text, waits.evidence(worst))


def _cost(facts: Facts, found: list[Wait]) -> str:
    """`4 waits, 4.00 s in total, the longest 1.00 s (at 440 ms)`."""
    worst, lost = max(found, key=lambda wait: wait.ns), sum(wait.ns for wait in found)
    return f"{plural(len(found), 'wait')}, {in_total(facts, lost, worst.ns, worst.start_ns)}"


def _kept_too_long(
    facts: Facts, waits: LongWaits, group: Group, vain: list[Wait], found: Kept
) -> Finding:
    """The slots are not lost, but kept for longer than others can wait."""
    worst, slot = max(vain, key=lambda wait: wait.ns), group.pool.slot
    size, one = takers.size(waits, worst), len(found.by) == 1
    all_of = f"a {slot}" if one else f"{slot}s"
    if found.has is Has.USES or 0 < size <= len(found.by):
        all_of = f"all {plural(size, slot)}" if size > 1 else f"the only {slot}"
        all_of = all_of if size else f"the {slot}s"
    did = doing(facts, [(who, worst.start_ns, worst.end_ns) for who in sorted(found.by)])
    text = (
        f"Pool exhausted: {users(facts.model, found.by)} {'has' if one else 'have'} {all_of} "
        f"of {group.pool.of}{f', {did}' if did else ''}. Meanwhile "
        f"{users(facts.model, (wait.who for wait in vain))} waited for one in {sites(vain)} "
        f"and gave up: {_cost(facts, vain)}. Hold it for less time, or raise the number of "
        f"{slot}s."
    )
    lost = sum(wait.ns for wait in vain)
    return Finding("pool exhausted", lost, text, waits.evidence(worst))


def had_one(facts: Facts, waits: LongWaits, group: Group) -> Finding | None:
    """Whoever waits for a slot in vain, and gives one back as soon as it gave up, had one."""
    stuck, circle = freed_too_late(group)
    is_known = group.pool.slot != OWN_SLOT
    if not is_known or sum(wait.ns for wait in stuck) < LOST_NS:
        return None
    return _deadlock(facts, waits, group, stuck, Kept(Has.WAITS, circle))


def waits_for_a_waiter(facts: Facts, waits: LongWaits, group: Group) -> Finding | None:
    """Who holds a slot waits for somebody that gave up on waiting for one."""
    found = holder_that_awaits(waits, group)
    if found is None:
        return None
    model, slot, (outer, inner) = facts.model, group.pool.slot, found
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


def _deadlock(
    facts: Facts, waits: LongWaits, group: Group, vain: list[Wait], found: Kept
) -> Finding:
    """All who have a slot wait until they, or those whom they wait for, get another one."""
    worst, slot, circle = max(vain, key=lambda wait: wait.ns), group.pool.slot, found.by
    waiting, stuck = {wait.who for wait in vain}, found.stuck
    waits.told.update(wait.slice for wait in (*vain, *stuck))
    inner = [wait for wait in vain if found.taken_at and wait.who in circle] or vain
    have = "holds" if len(circle) == 1 else "hold"
    if found.has is Has.CALLS:
        known = {name_of(facts.model, who) for who in circle}
        inner = [wait for wait in vain if name_of(facts.model, wait.who) not in known] or vain
    if stuck:
        what = "for coroutines of the same loop" if found.has is Has.CALLS else "for its end"
        whose = "their threads " if found.has is Has.CALLS else ""
        verb = "waits" if len(circle) == 1 and not whose else "wait"
        have = f"{users(facts.model, circle)} {have} them all and {whose}{verb}"
        have += f"{place_in(stuck[0].site)} {what}"
    elif found.has is Has.LOOP:
        have = f"{users(facts.model, circle)}, which {have} one, cannot go on, since that "
        have += "blocks their loop"
    elif not circle <= waiting:
        have = f"{users(facts.model, circle)} hold them all and wait for those"
    elif found.taken_at and circle < waiting:
        have = f"of these {users(facts.model, circle)} {have} them all"
    else:
        have = "they hold them all"
    have += place_in(found.taken_at)
    lines = {place_in(around(wait)) for wait in vain} if not found.taken_at else set()
    called = f", called{lines.pop()}" if len(lines) == 1 and lines != {""} else ""
    asking = users(facts.model, {wait.who for wait in inner})
    asking = f", {asking}" if len(inner) < len(vain) and found.has is Has.CALLS else ""
    ends = "until the end of the trace" if worst.is_open else f"for {duration(worst.ns)}"
    text = (
        f"Deadlock {at(facts, worst.start_ns)}, {ends}: {users(facts.model, waiting)} "
        f"{'wait' if len(waiting) > 1 else 'waits'} for a {slot} of {group.pool.of}{asking} "
        f"in {sites(inner)}{called}, and {have}. {_STEPS[found.has].format(slot=slot)}"
    )
    lost = sum(wait.ns for wait in (*vain, *stuck))
    return Finding("deadlock", lost, text, waits.evidence(worst))
