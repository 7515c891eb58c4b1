"""Slots and locks that never come back: who waits in vain, and who had them last."""

from collections import defaultdict
from collections.abc import Iterator

from tracer.units import duration, plural
from viewer.analysis.findings.basis import takers
from viewer.analysis.findings.basis.blockers import Blocked, Blockers
from viewer.analysis.findings.basis.doing import doing, mostly
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import (
    LongWaits,
    around,
    name_of,
    place_in,
    sites,
    users,
)
from viewer.analysis.findings.basis.words import at, in_total
from viewer.analysis.findings.outside.unreachable import unreachable
from viewer.analysis.findings.pools.keepers import kept_in_use
from viewer.analysis.findings.pools.leftlocks import left_by_job
from viewer.analysis.findings.pools.tokens import tokens_of_threads
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.slots import OWN_SLOT, Group
from viewer.analysis.resources.waits import Wait
from viewer.analysis.waited import package_of
from viewer.words import code

_MS = 1_000_000
# A slot that does not come back: half a second was lost in waits that all ended in vain.
VAIN_NS = 500 * _MS
_IDLE = "executor idle"  # a worker without a job
_AT_ONCE_NS = 50 * _MS
_MAIN = "MainThread"
_CLEAR = 80  # per cent: what those who may have a slot did is told when it is one thing
_OWED = ("Future.result", "Thread.join", "as_completed", "wait", "executor")


def never_returned(facts: Facts, waits: LongWaits, group: Group) -> Finding | None:
    """Waits that end in vain since somebody took a slot and did not give it back."""
    served = [wait for wait in group.waits if not wait.failed]
    last_ns = max((wait.end_ns for wait in served), default=0)
    vain = [wait for wait in group.waits if wait.failed and wait.end_ns > last_ns]
    lost = sum(wait.ns for wait in vain)
    if lost < VAIN_NS or (served and max(w.end_ns for w in vain) - last_ns < VAIN_NS):
        return None
    gave_ns = {wait.ender: wait.end_ns for wait in sorted(served, key=lambda w: w.end_ns)}
    if (stuck := tokens_of_threads(facts, waits, group, vain)) is not None:
        return stuck
    circle = takers.said(facts, vain) | takers.parents(facts, vain)
    circle = circle or takers.nobody_else(waits, vain)
    if circle and circle <= _all_wait(waits, vain, circle):
        return _nested(facts, waits, group, vain, circle)
    if not served and (around := takers.nested(facts, vain)):
        return _nested(facts, waits, group, vain, set(around), min(around.values()))
    deeper, taken_at = takers.further_in(waits, vain)
    if deeper:
        return _nested(facts, waits, group, vain, deeper, taken_at)
    other = kept_in_use(facts, waits, group, vain) or _who_waits_for_it(
        facts, waits, group, vain
    )
    if other is not None:
        return other
    if not served and (found := unreachable(facts, waits, group, vain)) is not None:
        return found
    had = {w.who for w in served if gave_ns.get(w.who, -1) < w.end_ns} or circle
    had = had or takers.used_last(facts, vain)
    worst, slot = max(vain, key=lambda wait: wait.ns), group.pool.slot
    have = set[Who]() if had else takers.passed_and_await(facts, worst)
    have -= {wait.who for wait in vain}
    ends = "and still wait" if all(wait.is_open for wait in vain) else "and gave up"
    text = (
        f"Slots never returned: {users(facts.model, (wait.who for wait in vain))} waited for "
        f"a {slot} of {group.pool.of} in {sites(vain)} {ends}: {plural(len(vain), 'wait')}, "
        f"{in_total(facts, lost, worst.ns, worst.start_ns)}. Nobody gave one back in that time"
    )
    if had:
        are_gone = all(waits.ends_ns(who) < worst.end_ns - VAIN_NS for who in had)
        now = mostly(facts, [(who, worst.start_ns, worst.end_ns) for who in had])
        did = ", and ended" if are_gone else f", {now.text}" if now.most >= _CLEAR else ""
        used = takers.used_at(facts, vain, had) if not last_ns else ""
        text += f"; {users(facts.model, had)} had one last{place_in(used)}{did}"
    elif have:
        did = doing(facts, [(who, worst.start_ns, worst.end_ns) for who in sorted(have)])
        verb = "has" if len(have) == 1 else "have"
        text += f"; {users(facts.model, have)}, which got one before, still {verb} it"
        text += f", {did}" if did else ""
    elif takers.are_all(facts, vain):
        text += "; nobody else is known to have used the pool before"
    text += _owed(facts, waits, worst)
    text += (
        f". Whoever takes a {slot} must give it back however it ends: with `with`, or in a "
        f"`finally`."
    )
    return Finding("slots never returned", lost, text, waits.evidence(worst))


def _waits_for_it(waits: LongWaits, worst: Wait) -> list[Wait]:
    """The waits that it ended when it had given up, which lasted for most of its own."""
    return [
        other
        for other in waits.overlapping(worst)
        if other.ender == worst.who != other.who
        and not other.failed
        and 0 <= other.end_ns - worst.end_ns <= _AT_ONCE_NS
        and (worst.end_ns - max(other.start_ns, worst.start_ns)) * 10 >= worst.ns * 8
    ]


def _who_waits_for_it(
    facts: Facts, waits: LongWaits, group: Group, vain: list[Wait]
) -> Finding | None:
    """As many as there are slots wait for one who waits for a slot: they have them."""
    worst, slot = max(vain, key=lambda wait: wait.ns), group.pool.slot
    found = _waits_for_it(waits, worst)
    whos = {other.who for other in found}
    if not whos or len(whos) != takers.size(facts, worst):
        return None
    waits.told.update(wait.slice for wait in (*vain, *found))
    lost = sum(wait.ns for wait in (*vain, *found))
    text = (
        f"Deadlock {at(facts, worst.start_ns)}, for {duration(worst.ns)}: "
        f"{code(name_of(facts.model, worst.who))}{place_in(worst.site)} waits for a {slot} of "
        f"{group.pool.of}, and {users(facts.model, whos)} in {sites(found)}, as many as there "
        f"are {slot}s, {'wait' if len(whos) > 1 else 'waits'} for it meanwhile, until it gave "
        f"up. Give the {slot} back before waiting for somebody who needs one."
    )
    return Finding("deadlock", lost, text, waits.evidence(worst))


def _owed(facts: Facts, waits: LongWaits, worst: Wait) -> str:
    """`; `album-0` in `resize_all` waited for that …`: whoever has a slot and waits for one
    who needs one never gives it back."""
    blockers: Blockers | None = None
    package = package_of(worst.name)
    asked, _ = takers.askers(facts, package, worst.start_ns)
    least, direct = worst.ns * 8 // 10, _waits_for_it(waits, worst)
    for other in waits.overlapping(worst):
        met = min(other.end_ns, worst.end_ns) - max(other.start_ns, worst.start_ns)
        if met < least or other.who == worst.who or _is_main(facts, other.who):
            continue
        if (asked and other.who not in asked) or other.name == _IDLE:
            continue
        is_for_it = other in direct
        if not is_for_it and other.name in _OWED:
            blockers = blockers or Blockers(facts)
            blocked = blockers.of(other)
            is_for_it = blocked is not None and worst.who in blocked.by
        if is_for_it:
            who = f"{code(name_of(facts.model, other.who))}{place_in(other.site)}"
            return f"; {who} waited for that to end: if it has one, it never gives it back"
    return ""


def _is_main(facts: Facts, who: Who) -> bool:
    """Whether it is the main thread, which waits for all others in the end."""
    kind, which = who
    return kind == "thread" and facts.model.threads[which].thread_name == _MAIN


def had_one(facts: Facts, waits: LongWaits, group: Group) -> Finding | None:
    """Whoever waits for a slot in vain, and gives one back as soon as it gave up, had one."""
    gave_up = {wait.who: wait for wait in group.waits if wait.failed}
    freed = [
        wait
        for wait in group.waits
        if not wait.failed
        and wait.ender in gave_up
        and 0 <= wait.end_ns - gave_up[wait.ender].end_ns <= _AT_ONCE_NS
    ]
    circle = {wait.ender for wait in freed if wait.ender is not None}
    stuck = [*freed, *(gave_up[who] for who in circle)]
    is_known = group.pool.slot != OWN_SLOT
    if not is_known or sum(wait.ns for wait in stuck) < VAIN_NS:
        return None
    return _nested(facts, waits, group, stuck, circle)


def _all_wait(waits: LongWaits, vain: list[Wait], circle: set[Who]) -> set[Who]:
    """Those of the circle that wait for a slot, or for a task that does."""
    owned, waiting = waits.model.owners, {wait.who for wait in vain}
    created = {
        waits.facts.ledger.task_of(owned.task_process[which], owned.task_parent[which])
        for kind, which in waiting
        if kind == "task"
    }
    return {who for who in circle if who in waiting or who[1] in created}


def _nested(
    facts: Facts,
    waits: LongWaits,
    group: Group,
    vain: list[Wait],
    circle: set[Who],
    taken_at: str = "",
) -> Finding:
    """All who have a slot wait until they, or those whom they wait for, get another one."""
    worst, slot = max(vain, key=lambda wait: wait.ns), group.pool.slot
    waits.told.update(wait.slice for wait in vain)
    waiting = {wait.who for wait in vain}
    inner = [wait for wait in vain if taken_at and wait.who in circle] or vain
    if not circle <= waiting:
        have = f"{users(facts.model, circle)} have them all and wait for those"
    elif taken_at and circle < waiting:
        verb = "has" if len(circle) == 1 else "have"
        have = f"of these {users(facts.model, circle)} {verb} them all"
    else:
        have = "they have them all"
    have += place_in(taken_at)
    lines = {place_in(around(wait)) for wait in vain} if not taken_at else set()
    called = f", called{lines.pop()}" if len(lines) == 1 and lines != {""} else ""
    ends = "until the end of the trace" if worst.is_open else f"for {duration(worst.ns)}"
    text = (
        f"Deadlock {at(facts, worst.start_ns)}, {ends}: {users(facts.model, waiting)} wait "
        f"for a {slot} of {group.pool.of} in {sites(inner)}{called}, and {have}. Whoever "
        f"has a {slot} must not wait for another one of the same pool: give it back before, "
        f"or use a second pool."
    )
    return Finding("deadlock", sum(w.ns for w in vain), text, waits.evidence(worst))


def never_released(facts: Facts, waits: LongWaits) -> Iterator[Finding]:
    """Locks whose holder has ended, while others wait for them in vain."""
    by_lock: dict[int, list[Wait]] = defaultdict(list)
    for wait in waits.all:
        if wait.name in ("Lock", "RLock") and wait.lock >= 0 and wait.slice not in waits.told:
            by_lock[wait.lock].append(wait)
    blockers: Blockers | None = None
    for alike in by_lock.values():
        vain = [wait for wait in alike if wait.failed]
        lost, last = sum(wait.ns for wait in vain), max(alike, key=lambda wait: wait.end_ns)
        if lost < VAIN_NS or not last.failed:
            continue
        if (left := left_by_job(facts, waits, vain, lost)) is not None:
            yield left
            continue
        blockers = blockers or Blockers(facts)
        blocked = _had_last(facts, blockers, last)
        if blocked is None and all(wait.who[0] == "task" for wait in alike):
            found = _lost_in_cancel(facts, waits, alike, vain, lost)
            if found is not None:
                yield found
            continue
        holder = blocked.by[0] if blocked is not None else None
        if blocked is None or holder is None:
            continue
        ended_ns = waits.ends_ns(holder)
        if sum(max(wait.end_ns - max(wait.start_ns, ended_ns), 0) for wait in vain) < VAIN_NS:
            continue  # who cancels all of them cancels the holder first
        waits.told.update(wait.slice for wait in vain)
        worst = max(vain, key=lambda wait: wait.ns)
        text = (
            f"Slots never returned: {users(facts.model, (wait.who for wait in vain))} waited "
            f"in {sites(vain)} {blocked.why}: {plural(len(vain), 'wait')}, "
            f"{in_total(facts, lost, worst.ns, worst.start_ns)}, all in vain, since "
            f"{users(facts.model, [holder])} {_end(facts, holder)} without releasing it. "
            f"Acquire it with `with`, or release it in a `finally`."
        )
        yield Finding("slots never returned", lost, text, waits.evidence(worst))


def _had_last(facts: Facts, blockers: Blockers, wait: Wait) -> Blocked | None:
    """Who has the lock as a wait ends: those who had it before have given it on."""
    holds, start_ns = facts.ledger.holds, wait.start_ns
    if holds.has(wait.lock):
        for hold, _ in holds.backwards(wait.lock, start_ns, wait.end_ns):
            start_ns = max(start_ns, facts.model.states.start_ns[hold])
            break
    return blockers.of(wait._replace(start_ns=start_ns))


def _end(facts: Facts, who: Who) -> str:
    """`ended`, or `failed (KeyError) in `read` (app.py:9)`."""
    kind, which = who
    failure = facts.ledger.failures.get(which) if kind == "thread" else None
    if failure is None:
        return "ended"
    return f"failed ({failure.exception}){place_in(failure.site)}"


def _lost_in_cancel(
    facts: Facts, waits: LongWaits, alike: list[Wait], vain: list[Wait], lost: int
) -> Finding | None:
    """A lock of asyncio that nobody is known to have, and somebody was cancelled before."""
    who = takers.cancelled_before(facts, vain)
    if not who or len(vain) < len(alike):
        return None
    waits.told.update(wait.slice for wait in vain)
    worst = max(vain, key=lambda wait: wait.ns)
    text = (
        f"Slots never returned: {users(facts.model, (wait.who for wait in vain))} waited for "
        f"an asyncio.Lock in {sites(vain)} in vain: {plural(len(vain), 'wait')}, "
        f"{in_total(facts, lost, worst.ns, worst.start_ns)}. Nobody released it in that time; "
        f"{who} was cancelled shortly before and may have had it. Acquire it with `async "
        f"with`, or release it in a `finally`."
    )
    return Finding("slots never returned", lost, text, waits.evidence(worst))
