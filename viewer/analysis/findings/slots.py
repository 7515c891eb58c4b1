"""Pools of connections, limiters, semaphores: who waits for a slot, and who has them."""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from tracer import schema as s
from tracer.units import duration, plural
from viewer.analysis.findings import takers
from viewer.analysis.findings.blockers import Blockers
from viewer.analysis.findings.doing import doing
from viewer.analysis.findings.facts import Facts, Finding
from viewer.analysis.findings.waits import LongWaits, Wait, users
from viewer.analysis.findings.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.pools import Pool, pool_of
from viewer.words import code

_MS = 1_000_000
# A pool is there to be waited for now and then. It is a fault when that lost half a second.
_LOST_NS = 500 * _MS
# Some pools wake all who wait: whoever waits again that soon had got nothing.
_AGAIN_NS = 5 * _MS
# A slot that does not come back: half a second was lost in waits that all ended in vain.
_VAIN_NS = 500 * _MS
# What a home-made pool waits in: whoever gets something from it puts it back later. Conditions
# also make two sides wait for each other, or threads take turns: one function waits in a pool.
_HOME_MADE = ("Queue.get", "SimpleQueue.get", "Condition.wait", "Condition")
_OWN_SLOT = "slot"  # of a home-made pool
_AT_ONCE_NS = 50 * _MS
_LONGER = 10
_STILL = 8, 10
_GOES_ROUND = 2, 3  # of the waits are ended by those who waited there themselves


@dataclass(slots=True)
class _Hold:
    """A slot: `who` had it until somebody else got it."""

    who: Who
    start_ns: int
    end_ns: int


@dataclass(slots=True)
class _Group:
    """The waits for the slots of one pool, in order of begin."""

    pool: Pool
    waits: list[Wait] = field(default_factory=list)

    @property
    def ns(self) -> int:
        return sum(wait.ns for wait in self.waits)


def slot_findings(facts: Facts) -> Iterator[Finding]:
    """Pools that are too small or kept too long, and slots that never come back."""
    waits = LongWaits.of(facts)
    for group in _groups(facts, waits):
        if group.ns < _LOST_NS:
            continue
        lost = _never_returned(facts, waits, group) or _had_one(facts, waits, group)
        if lost is not None:
            yield lost
        elif (found := _exhausted(facts, waits, group)) is not None:
            yield found
    yield from _never_released(facts, waits)


def _never_released(facts: Facts, waits: LongWaits) -> Iterator[Finding]:
    """Locks whose holder has ended, while others wait for them in vain."""
    by_lock: dict[int, list[Wait]] = defaultdict(list)
    for wait in waits.all:
        if wait.name in ("Lock", "RLock") and wait.lock >= 0 and wait.slice not in waits.told:
            by_lock[wait.lock].append(wait)
    blockers: Blockers | None = None
    for alike in by_lock.values():
        vain = [wait for wait in alike if wait.failed]
        lost, last = sum(wait.ns for wait in vain), max(alike, key=lambda wait: wait.end_ns)
        if lost < _VAIN_NS or not last.failed:
            continue
        blockers = blockers or Blockers(facts)
        blocked = blockers.of(last)
        if blocked is None and all(wait.who[0] == "task" for wait in alike):
            found = _lost_in_cancel(facts, waits, alike, vain, lost)
            if found is not None:
                yield found
            continue
        holder = blocked.by[0] if blocked is not None else None
        if blocked is None or holder is None or waits.ends_ns(holder) >= last.end_ns:
            continue
        waits.told.update(wait.slice for wait in vain)
        worst = max(vain, key=lambda wait: wait.ns)
        text = (
            f"Slots never returned: {users(facts.model, (wait.who for wait in vain))} waited "
            f"in {_sites(vain)} {blocked.why}: {plural(len(vain), 'wait')}, {duration(lost)} "
            f"in total, the longest {duration(worst.ns)} ({at(facts, worst.start_ns)}), all "
            f"in vain, since {users(facts.model, [holder])} ended without releasing it. "
            f"Acquire it with `with`, or release it in a `finally`."
        )
        yield Finding("slots never returned", lost, text, waits.evidence(worst))


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
        f"an asyncio.Lock in {_sites(vain)} in vain: {plural(len(vain), 'wait')}, "
        f"{duration(lost)} in total, the longest {duration(worst.ns)} "
        f"({at(facts, worst.start_ns)}). Nobody released it in that time; {who} was "
        f"cancelled shortly before and may have had it. Acquire it with `async with`, or "
        f"release it in a `finally`."
    )
    return Finding("slots never returned", lost, text, waits.evidence(worst))


def _groups(facts: Facts, waits: LongWaits) -> Iterable[_Group]:
    """Known pools by their lock or function, home-made ones by the queue that they are."""
    found: dict[object, _Group] = {}
    others: dict[tuple[str, int], list[Wait]] = defaultdict(list)
    for wait in waits.all:
        pool = pool_of(wait.name, wait.stack)
        if pool is not None:
            own = wait.lock if wait.lock >= 0 and pool.slot != "token" else -1
            process = waits.process(wait.who)
            key = process, pool, own if _is_shared(wait) else -1
            found.setdefault(key, _Group(pool)).waits.append(wait)
        elif wait.name in _HOME_MADE and wait.lock >= 0:
            others[wait.name, wait.lock].append(wait)
    for (name, _), alike in others.items():
        if _goes_round(alike):
            if name.startswith("Condition") and not _is_pool(waits, alike):
                continue
            pool = Pool(_OWN_SLOT, f"a pool made of a `{name.partition('.')[0]}`")
            found[id(alike)] = _Group(pool, alike)
    return [_Group(group.pool, _whole(group.waits)) for group in found.values()]


def _whole(waits: list[Wait]) -> list[Wait]:
    """Waits with those joined between which the waiter was woken and got nothing.

    Some pools wake all who wait; all but one wait again at once.
    """
    gave: dict[Who, list[int]] = defaultdict(list)
    for wait in sorted(waits, key=lambda wait: wait.end_ns):
        if wait.ender is not None:
            gave[wait.ender].append(wait.end_ns)
    last: dict[Who, int] = {}
    found = list[Wait]()
    for wait in waits:
        at = last.get(wait.who, -1)
        if at >= 0:
            before = found[at]
            is_again = wait.start_ns - before.end_ns <= _AGAIN_NS and not (
                _between(gave[wait.who], before.end_ns, wait.start_ns)
            )
            if is_again:
                found[at] = wait._replace(start_ns=before.start_ns)
                continue
        last[wait.who] = len(found)
        found.append(wait)
    return found


def _between(times: list[int], from_ns: int, until_ns: int) -> bool:
    """Whether one of the times, which are in order, lies between two."""
    at = bisect_left(times, from_ns)
    return at < len(times) and times[at] <= until_ns


def _is_shared(wait: Wait) -> bool:
    """Whether all who wait for the pool wait at this object; asyncio's events are not."""
    return wait.name not in ("Event", "Event.wait", "future", "Lock", "Condition.notify")


def _is_pool(waits: LongWaits, alike: list[Wait]) -> bool:
    """Whether all wait for a condition in one function, and several have something at once."""
    inside = {wait.stack[1].rpartition(" ")[2] for wait in alike if len(wait.stack) > 1}
    return len(inside) == 1 and _holds(_whole(alike), waits.ends_ns)[1] > 1


def _goes_round(waits: list[Wait]) -> bool:
    """Whether what one gets there comes from others that got it there before."""
    if any(wait.failed for wait in waits):
        return False
    waiting = {wait.who for wait in waits}
    enders = [wait.ender for wait in waits if wait.ender is not None]
    own = sum(ender in waiting for ender in enders)
    is_round = own * _GOES_ROUND[1] >= len(enders) * _GOES_ROUND[0]
    return is_round and len(set(enders)) > 1 and len(enders) * 2 > len(waits)


# Slots that are too few ---------------------------------------------------------------------


def _holds(waits: list[Wait], ends_ns: Callable[[Who], int]) -> tuple[list[_Hold], int]:
    """From each hand-over, how long the giver had its slot at least; and how many slots were
    in use at a time: the pool has at least as many.

    A giver had it since its own wait for it ended, or while those waited who came first.
    Whoever waits again had got nothing; whoever wakes several gives one; who ends has none.
    """
    moments = [(wait.start_ns, 0, wait) for wait in waits]
    moments += [(wait.end_ns, 1, wait) for wait in waits]
    moments.sort(key=lambda moment: moment[:2])
    got: dict[Who, int] = {}
    known, waiting = set[Who](), 0
    found, kept = list[_Hold](), list[_Hold]()
    for time_ns, is_end, wait in moments:
        if not is_end:
            waiting += 1
            known.add(wait.who)
            got.pop(wait.who, None)
            continue
        waiting -= 1
        ender = wait.ender
        if ender is not None and ender != wait.who and (ender in got or ender not in known):
            found.append(_Hold(ender, got.pop(ender, wait.start_ns), time_ns))
            known.add(ender)
        if not wait.failed:
            got[wait.who] = time_ns
        if not waiting:
            kept += [
                _Hold(who, since, min(time_ns, ends_ns(who)) - _AGAIN_NS)
                for who, since in got.items()
            ]
    return found, _most_at_once(found + kept)


def _most_at_once(holds: list[_Hold]) -> int:
    changes = sorted(
        change
        for hold in holds
        for change in ((hold.start_ns, 1), (hold.end_ns, -1))
        if hold.end_ns > hold.start_ns
    )
    most = now = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most


def _exhausted(facts: Facts, waits: LongWaits, group: _Group) -> Finding | None:
    holds, slots = _holds(group.waits, waits.ends_ns)
    if not holds or (_is_batch(facts, group) and not _is_held_up(waits, group)):
        return None
    found = {wait.who for wait in group.waits} | {hold.who for hold in holds}
    lost, worst = group.ns, max(group.waits, key=lambda wait: wait.ns)
    slots = _size(facts, worst) or slots
    mean = sum(hold.end_ns - hold.start_ns for hold in holds) // len(holds)
    did = doing(facts, [(hold.who, hold.start_ns, hold.end_ns) for hold in holds])
    slot = group.pool.slot
    text = (
        f"Pool exhausted: {users(facts.model, found)} share {plural(slots, slot)} of "
        f"{group.pool.of}. {plural(len(group.waits), 'wait')} in {_sites(group.waits)} lost "
        f"{duration(lost)} in total, the longest {duration(worst.ns)} "
        f"({at(facts, worst.start_ns)}). Each {slot} is kept for {duration(mean)} on average"
        f"{f', {did}' if did else ''}. Keep it for less time, or raise the number of {slot}s."
    )
    return Finding("pool exhausted", lost, text, waits.evidence(worst))


def _size(facts: Facts, wait: Wait) -> int:
    """The pool's number of slots, as the library said; 0: it did not."""
    trace = facts.model.trace
    ends = (trace.slices.event[wait.slice], trace.slices.end_event[wait.slice])
    said = (trace.args(end).get(s.ARG_SLOTS, 0) for end in ends if end >= 0)
    return max(map(int, said), default=0)


def _is_batch(facts: Facts, group: _Group) -> bool:
    """Whether a semaphore only paces tasks that one other task made and waits for."""
    if group.pool.slot != "permit":
        return False
    owned, sites = facts.model.owners, {wait.site for wait in group.waits}
    parents = {
        owned.task_parent[which] if kind == "task" else -1
        for kind, which in (wait.who for wait in group.waits)
    }
    return len(sites) == 1 and len(parents) == 1 and -1 not in parents


def _is_held_up(waits: LongWaits, group: _Group) -> bool:
    """Whether short jobs of a batch wait for long ones: most of the loss is theirs who waited
    while nobody got a slot, at least ten times as long as they then needed theirs."""
    ends, lost = sorted(wait.end_ns for wait in group.waits), 0
    for wait in group.waits:
        still_ns = ends[bisect_right(ends, wait.start_ns)] - wait.start_ns
        needed_ns = waits.ends_ns(wait.who) - wait.end_ns
        if still_ns >= needed_ns * _LONGER and still_ns * _STILL[1] >= wait.ns * _STILL[0]:
            lost += wait.ns
    return lost * 2 >= group.ns


# Slots that never come back -----------------------------------------------------------------


def _never_returned(facts: Facts, waits: LongWaits, group: _Group) -> Finding | None:
    """Waits that end in vain since somebody took a slot and did not give it back."""
    served = [wait for wait in group.waits if not wait.failed]
    last_ns = max((wait.end_ns for wait in served), default=0)
    vain = [wait for wait in group.waits if wait.failed and wait.end_ns > last_ns]
    lost = sum(wait.ns for wait in vain)
    if lost < _VAIN_NS or (served and max(w.end_ns for w in vain) - last_ns < _VAIN_NS):
        return None
    gave = {wait.ender for wait in group.waits if wait.end_ns >= last_ns}
    circle = takers.said(facts, vain) | takers.parents(facts, vain)
    if circle and circle <= _all_wait(waits, vain, circle):
        return _nested(facts, waits, group, vain, circle)
    had = {wait.who for wait in served if wait.who not in gave} or circle
    had = had or takers.used_last(facts, vain)
    worst, slot = max(vain, key=lambda wait: wait.ns), group.pool.slot
    ends = "and still wait" if all(wait.is_open for wait in vain) else "and gave up"
    text = (
        f"Slots never returned: {users(facts.model, (wait.who for wait in vain))} waited for "
        f"a {slot} of {group.pool.of} in {_sites(vain)} {ends}: {plural(len(vain), 'wait')}, "
        f"{duration(lost)} in total, the longest {duration(worst.ns)} "
        f"({at(facts, worst.start_ns)}). Nobody gave one back in that time"
    )
    if had:
        text += f"; {users(facts.model, had)} had one last"
    text += (
        f". Whoever takes a {slot} must give it back however it ends: with `with`, or in a "
        f"`finally`."
    )
    return Finding("slots never returned", lost, text, waits.evidence(worst))


def _had_one(facts: Facts, waits: LongWaits, group: _Group) -> Finding | None:
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
    is_known = group.pool.slot != _OWN_SLOT
    if not is_known or sum(wait.ns for wait in stuck) < _VAIN_NS:
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
    facts: Facts, waits: LongWaits, group: _Group, vain: list[Wait], circle: set[Who]
) -> Finding:
    """All who have a slot wait until they, or those whom they wait for, get another one."""
    worst, slot = max(vain, key=lambda wait: wait.ns), group.pool.slot
    waits.told.update(wait.slice for wait in vain)
    waiting = {wait.who for wait in vain}
    have = "they have them all" if circle <= waiting else (
        f"{users(facts.model, circle)} have them all and wait for those"
    )  # fmt: skip
    ends = "until the end of the trace" if worst.is_open else f"for {duration(worst.ns)}"
    text = (
        f"Deadlock {at(facts, worst.start_ns)}, {ends}: {users(facts.model, waiting)} wait "
        f"for a {slot} of {group.pool.of} in {_sites(vain)}, and {have}. Whoever has a {slot} "
        f"must not wait for another one of the same pool: give it back before, or use a "
        f"second pool."
    )
    return Finding("deadlock", sum(w.ns for w in vain), text, waits.evidence(worst))


# Words --------------------------------------------------------------------------------------


def _sites(waits: list[Wait]) -> str:
    """Where most of the time was waited."""
    sums = Counter[str]()
    for wait in waits:
        sums[wait.site] += wait.ns
    site = max(sums, key=lambda site: (sums[site], site))
    function = site.rpartition(" ")[2]
    return code(function, site) if site else "unknown code"
