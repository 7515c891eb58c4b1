"""Deadlocks through anything: queues, jobs, loops, imports, joins; of locks alone see cycles.

A wait may be ended by one of several. A knot is a set of waits such that whoever could end one
of them waits in the set.
"""

from collections import defaultdict
from collections.abc import Iterator

from tracer.units import duration
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, around, name_of, place_in
from viewer.analysis.findings.basis.whom import why
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.enders import Blocked, Enders, How
from viewer.analysis.resources.kept import Has, SlotsInVain
from viewer.analysis.resources.waits import GETS, Wait
from viewer.analysis.waited import FOR_TASKS
from viewer.words import code, stem

# As for circles of locks: only a time-out, a cancellation or the end of the program ends a
# knot, so one of its waits must have been in vain; a shorter one was given up at once.
_LONG_NS = 50_000_000
_LARGEST = 64
_MOST = 2_000  # waits that may close a knot; the longest ones
_POOLS = 2
_CUT = {
    How.SLOT: "Give the slot back before waiting for something else, or take both in one "
    "order.",
    How.QUEUED: "Do not wait in a pool for jobs of the same pool: give them a pool of their "
    "own.",
    How.LOOP: "`await` the coroutine, or leave the loop's thread before waiting for it.",
    How.MODULE: "Do not wait for a thread while a module is imported.",
    How.LOCK: "Release the lock before waiting.",
    How.BARRIER: "Meet with nothing that the others need first: fewer parties, or more slots.",
    How.REPLY: "Go on serving while waiting for an answer, or let only one side ask the "
    "other.",
    How.QUEUE: "Let somebody else use the queue, or tell the waiter that nothing comes.",
    How.CALLBACK: "Let the callback only hand on its result, and wait in another thread.",
    How.EVENT: "Release what the others need before waiting for what they do.",
    How.GIVEN: "Do not wait for a coroutine while having what it needs.",
    How.JOB: "Do not wait for a job while having what it needs.",
    How.JOIN: "Do not wait for its end while having what it needs.",
}

_STILL_RUNS = (
    "Wait for the thread while its loop still runs, without blocking it: "
    "`await asyncio.to_thread(thread.join)`."
)
_LEAVE_OUT = (
    "Whoever waits for all tasks must leave out itself (`asyncio.current_task()`) and those "
    "that wait for it."
)
# Circles of these alone: see cycles, and lost, which tells those of one pool.
_TOLD = ({How.LOCK}, {How.SLOT})

type _Members = dict[Who, tuple[Wait, Blocked]]
type _Kind = frozenset[tuple[str, str, str]]


def knots(facts: Facts) -> Iterator[Finding]:
    """Knots that are not circles of locks alone, each once."""
    waits = LongWaits.of(facts)
    every = (*waits.all, *waits.for_tasks)
    if not any(wait.failed and wait.ns >= _LONG_NS for wait in every):
        return
    enders, found = Enders.of(waits), defaultdict[_Kind, list[tuple[_Members, int]]](list)
    long = sorted((w for w in every if w.ns >= _LONG_NS), key=lambda w: -w.ns)[:_MOST]
    now: dict[Who, Wait] = {}
    known: dict[Wait, Blocked | None] = {}
    for wait in sorted(long, key=lambda wait: wait.start_ns):
        now[wait.who] = wait
        members = _core(_knot(wait, now, enders, known))
        if members and _is_deadlock(waits, members, wait.start_ns):
            found[_kind(facts, members)].append((members, wait.start_ns))
            waits.told.update(one.slice for one, _ in members.values())
    for alike in found.values():
        yield _finding(facts, waits, _apart(alike))


def _kind(facts: Facts, members: _Members) -> _Kind:
    """The same for a knot that comes again with other tasks or threads."""
    return frozenset(
        (stem(name_of(facts.model, who)), one.name, one.site)
        for who, (one, _) in members.items()
    )


def _apart(alike: list[tuple[_Members, int]]) -> list[tuple[_Members, int]]:
    """Those of which none of the waits is in one before."""
    found, seen = list[tuple[_Members, int]](), set[int]()
    for members, start_ns in alike:
        slices = {one.slice for one, _ in members.values()}
        if not slices & seen:
            found.append((members, start_ns))
        seen |= slices
    return found


def _knot(
    wait: Wait, now: dict[Who, Wait], enders: Enders, known: dict[Wait, Blocked | None]
) -> _Members:
    """All who are waited for, directly or not; empty when one of them does not wait."""
    found: _Members = {}
    todo = [wait.who]
    while todo:
        who = todo.pop()
        if who in found:
            continue
        one = now.get(who)
        if one is None or one.end_ns < wait.start_ns + _LONG_NS or len(found) >= _LARGEST:
            return {}
        if one not in known:
            known[one] = enders.whom(one)
        blocked = known[one]
        if blocked is None or not blocked.by:
            return {}
        found[who] = one, blocked
        todo += blocked.by
    return found


def _core(members: _Members) -> _Members:
    """Those who wait for each other, without those who wait for them."""
    best = members
    for first in members:
        todo, seen = [first], set[Who]()
        while todo:
            who = todo.pop()
            if who not in seen:
                seen.add(who)
                todo += members[who][1].by
        if len(seen) < len(best):
            best = {who: members[who] for who in seen}
    return dict(sorted(best.items(), key=lambda item: (item[1][0].start_ns, item[0])))


def _is_deadlock(waits: LongWaits, members: _Members, start_ns: int) -> bool:
    hows = {blocked.how for _, blocked in members.values()}
    # Whoever waits for items, or for those who do, may wait for ever.
    if How.REPLY in hows:
        # Whoever could answer must wait for an answer, too: in an inbox it would be idle.
        hard = [one for one, _ in members.values() if waits.is_for_one(one)]
        if len(hard) < len(members):
            return False
    else:
        # Tasks that await the end of each other never end, whatever they are for.
        hard = [one for one, _ in members.values() if hows == {How.JOIN} or not _is_soft(one)]
    in_vain = any(one.failed for one in hard)
    lasts = min(one.end_ns for one, _ in members.values()) - start_ns >= _LONG_NS
    pools = {one.lock for one, _ in members.values()} if hows == {How.SLOT} else set()
    is_told = hows in _TOLD and (len(pools) < _POOLS or -1 in pools)
    return not is_told and in_vain and lasts and not _is_of_a_pool(waits, members)


def _is_of_a_pool(waits: LongWaits, members: _Members) -> bool:
    """Whether all who wait for the end of others have a slot of the pool for which those wait,
    and others wait there as well: lost tells it of all of them."""
    if {blocked.how for _, blocked in members.values()} != {How.SLOT, How.JOIN}:
        return False
    kept = SlotsInVain.of(waits)
    slots = [one for one, blocked in members.values() if blocked.how is How.SLOT]
    first = kept.get(slots[0].slice)
    if first is None or first.has is not Has.WAITS:
        return False
    alike = {slice_ for slice_, each in kept.items() if each is first}
    return {one.slice for one in slots} < alike


def _is_soft(wait: Wait) -> bool:
    return wait.name in GETS or wait.name.startswith(FOR_TASKS)


def _finding(facts: Facts, waits: LongWaits, every: list[tuple[_Members, int]]) -> Finding:
    members, start_ns = every[0]
    end_ns = min(one.end_ns for one, _ in members.values())
    is_open = any(one.is_open and one.end_ns == end_ns for one, _ in members.values())
    lasted = "until the end of the trace" if is_open else f"for {duration(end_ns - start_ns)}"
    if len(every) > 1:
        lasted += f", the first of {len(every)}"
    alike: dict[tuple[str, str, str, str], list[Who]] = defaultdict(list)
    for who, (one, blocked) in members.items():
        name = stem(name_of(facts.model, who))
        alike[name, one.site, blocked.how.value, stem(why(facts, one, blocked))].append(who)
    parts = []
    for whos in alike.values():
        one, blocked = members[whos[0]]
        name = name_of(facts.model, whos[0])
        said = code(name)
        if len(whos) > 1:
            of = [which for _, which in whos]
            noun = facts.model.nouns_for(of).task if whos[0][0] == "task" else "thread"
            said = f"{len(whos)} {noun}s {code(stem(name))}"
        parts.append(
            f"{said}{place_in(one.site)}{_called(one, members)} "
            f"{'wait' if len(whos) > 1 else 'waits'} {why(facts, one, blocked)}"
        )
    text = f"Deadlock {at(facts, start_ns)}, {lasted}: {'; '.join(parts)}. {_cut(members)}"
    lost = sum(one.ns for members, _ in every for one, _ in members.values())
    worst = max((one for one, _ in members.values()), key=lambda one: one.ns)
    about = frozenset(one.site for one, _ in members.values())
    return Finding("deadlock", lost, text, waits.evidence(worst), about=about)


def _called(wait: Wait, members: _Members) -> str:
    """`, called in `receive` (app.py:9)`: where all wait at one line of a function."""
    is_same = len(members) > 1 and len({one.site for one, _ in members.values()}) == 1
    place = place_in(around(wait)) if is_same else ""
    return f", called{place}," if place else ""


def _cut(members: _Members) -> str:
    hows = {blocked.how for _, blocked in members.values()}
    if hows == {How.LOOP, How.JOIN}:
        return _STILL_RUNS
    if hows == {How.JOIN} and all(kind == "task" for kind, _ in members):
        return _LEAVE_OUT
    return _CUT[next(how for how in _CUT if how in hows)]
