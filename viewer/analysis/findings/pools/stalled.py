"""Pools that stand still: whoever has a worker or a slot waits for one who needs one."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator

from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in, sites, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.jobs import Job
from viewer.analysis.resources.enders import Enders
from viewer.analysis.resources.resource import Resource
from viewer.analysis.resources.servers import takers_of_queues
from viewer.analysis.resources.slots import Group
from viewer.analysis.resources.waits import GETS, Wait
from viewer.words import code

# All workers waited for half a second at the same time, until the first one gave up, and a job
# that was queued for that long meanwhile began within 50 ms. It runs another function than
# theirs, which would only wait as they do, unless they wait for each other.
_AT_ONCE_NS = 50 * MS
_ANSWERS = ("Event.wait", "Condition.wait")
_BARRIER = "Barrier.wait"
_FOR_OTHERS = ("Event.wait", "Condition.wait", "Event", "Condition", "future", *GETS, _BARRIER)


def stalled_pool(facts: Facts) -> Iterator[Finding]:
    """Whoever would end the waits of a pool's workers is queued behind them."""
    waits = LongWaits.of(facts)
    long: dict[int, list[Wait]] = defaultdict(list)
    for wait in waits.all:
        is_long = wait.ns >= LOST_NS and wait.name in _FOR_OTHERS
        if is_long and wait.who[0] == "thread" and wait.slice not in waits.told:
            long[wait.who[1]].append(wait)
    if not any(wait.failed for found in long.values() for wait in found):
        return
    jobs: dict[int, list[Job]] = defaultdict(list)
    for job in facts.jobs.all:
        jobs[job.pool].append(job)
    for number, pool in enumerate(facts.jobs.pools):
        last = [long[thread][-1] for thread in pool.threads if thread in long]
        if len(last) < len(pool.threads):
            continue
        first = min(last, key=lambda wait: wait.end_ns)  # the others may be woken by the job
        since, until = max(w.start_ns for w in last), first.end_ns
        queued = [
            job
            for job in jobs[number]
            if until - max(job.submitted_ns, since) >= LOST_NS
            and 0 <= job.began_ns - until <= _AT_ONCE_NS
            and _may_end(job, last, jobs[number])
        ]
        if first.failed and until - since >= LOST_NS and queued:
            waits.told.update(wait.slice for wait in last)
            yield _finding(facts, waits, pool.name, last, queued[0], since, until)


def stalled_takers(facts: Facts) -> Iterator[Finding]:
    """All threads that take jobs from a queue wait in vain at a line at which others wait for
    what they do."""
    waits = LongWaits.of(facts)
    gave_up: dict[int, list[Wait]] = defaultdict(list)
    for wait in waits.all:
        is_long = wait.failed and wait.ns >= LOST_NS and wait.name in _ANSWERS
        if is_long and wait.who[0] == "thread" and wait.slice not in waits.told:
            gave_up[wait.who[1]].append(wait)
    for _, threads in takers_of_queues(facts) if gave_up else ():
        last = [gave_up[thread][-1] for thread in threads if thread in gave_up]
        if len(last) < len(threads) or len({wait.site for wait in last}) > 1:
            continue
        since, first = max(w.start_ns for w in last), min(last, key=lambda wait: wait.end_ns)
        is_still = first.end_ns - since >= LOST_NS
        if not is_still or not _asks_them(waits, set(threads), first):
            continue
        waits.told.update(wait.slice for wait in last)
        who = users(facts.model, (wait.who for wait in last))
        text = (
            f"Deadlock {at(facts, since)}, for {duration(first.end_ns - since)}: {who}, which "
            f"take{'' if len(last) > 1 else 's'} jobs from a queue, "
            f"{'all wait' if len(last) > 1 else 'waits'} in `{first.name}`"
            f"{place_in(first.site)}, at the line at which others wait for them: for jobs "
            f"that only they would run. Call the function instead, or give such jobs workers "
            f"of their own."
        )
        lost, about = sum(wait.ns for wait in last), frozenset(wait.site for wait in last)
        yield Finding("deadlock", lost, text, waits.evidence(first), about=about)


def _asks_them(waits: LongWaits, takers: set[int], wait: Wait) -> bool:
    """Whether others wait at the same line, for answers of the takers."""
    return any(
        (other.name, other.site) == (wait.name, wait.site) and other.who[1] not in takers
        for other in waits.overlapping(wait)
        if other.who[0] == "thread"
    )


def _may_end(job: Job, last: list[Wait], jobs: list[Job]) -> bool:
    """Whether a job may do what the workers wait for."""
    if last[0].name == _BARRIER or job.submitter in {wait.who for wait in last}:
        return True
    starts = {wait.who[1]: wait.start_ns for wait in last}
    return all(
        (job.name, job.site) != (other.name, other.site)
        for other in jobs
        if other.thread in starts and other.began_ns <= starts[other.thread] <= other.ended_ns
    )


def _finding(
    facts: Facts,
    waits: LongWaits,
    pool: str,
    last: list[Wait],
    job: Job,
    since: int,
    until: int,
) -> Finding:
    worst = max(last, key=lambda wait: wait.ns)
    of = f"all {len(last)} workers" if len(last) > 1 else "the only worker"
    text = (
        f"Deadlock {at(facts, since)}, for {duration(until - since)}: {of} of {code(pool)} "
        f"{'wait' if len(last) > 1 else 'waits'} in `{worst.name}`{place_in(worst.site)}, "
        f"while {code(job.name, job.site)} is queued in the same pool; it began when they had "
        f"given up. If they wait for what it does, it needs a pool of its own, or must be "
        f"submitted first."
    )
    lost, about = sum(wait.ns for wait in last), frozenset(wait.site for wait in last)
    return Finding("deadlock", lost, text, waits.evidence(worst), about=about)


def stalled_slots(facts: Facts, waits: LongWaits, group: Group) -> Finding | None:
    """Nobody gets a slot until somebody else gives up a wait, again and again: the one has a
    slot and waits for what those do who need one."""
    waiting = group.waiters
    served = sorted(wait.end_ns for wait in group.waits if not wait.failed)
    by_place: dict[tuple[str, str], list[Wait]] = defaultdict(list)
    for wait in waits.all:
        is_long = wait.failed and not wait.is_open and wait.ns >= LOST_NS
        if is_long and wait.name in _FOR_OTHERS and wait.who not in waiting:
            by_place[wait.name, wait.site].append(wait)
    for (name, site), gave_up in by_place.items():
        still = [wait for wait in gave_up if _stood_still(group, served, wait)]
        still = [
            w
            for w in gave_up
            if any(abs(w.end_ns - one.end_ns) <= _AT_ONCE_NS for one in still)
        ]
        lost = sum(max(one.met_ns(wait), 0) for one in group.waits for wait in _apart(still))
        if lost * 2 < group.ns or not still:
            continue
        slot, worst = group.pool.slot, max(still, key=lambda wait: wait.ns)
        total = sum(wait.ns for wait in _apart(still))
        text = (
            f"Deadlock {at(facts, still[0].start_ns)}, for {duration(total)}: nobody got a "
            f"{slot} of {group.pool.of} in {sites(group.waits)} "
            f"({plural(len(group.waits), 'wait')}, {duration(lost)}) until a wait in "
            f"`{name}`{place_in(site)} was given up, {plural(len(still), 'time')}, the "
            f"longest {duration(worst.ns)}. Whoever waits there has a {slot}: if it waits "
            f"for what those do who need one, these need other {slot}s."
        )
        waits.told.update(wait.slice for wait in still)
        return Finding("deadlock", lost, text, waits.evidence(worst))
    return None


def stalled_questions(facts: Facts, found: Resource) -> Finding | None:
    """Those who ask again and again have what another one waits for: they go on when it has
    given up, and what they have are things for which others waited."""
    waits, asking = LongWaits.of(facts), {claim.who for claim in found.claims}
    first = min(claim.start_ns for claim in found.claims)
    gave_up = [
        wait
        for wait in waits.all
        if wait.failed
        and not wait.is_open
        and wait.ns >= LOST_NS
        and wait.lock >= 0
        and wait.end_ns > first
        and not asking.isdisjoint(Enders.of(waits).of_queue(wait.lock))
    ]
    still = [wait for wait in gave_up if _asked_until(found, wait)]
    lost = sum(max(wait.met_ns(claim), 0) for claim in found.claims for wait in _apart(still))
    if not still or lost * 2 < found.ns:
        return None
    worst, one = max(still, key=lambda wait: wait.ns), found.worst
    text = (
        f"Deadlock {at(facts, worst.start_ns)}, for {duration(worst.ns)}: "
        f"{users(facts.model, asking)} {'poll' if len(asking) > 1 else 'polls'}"
        f"{place_in(one.site)} ({plural(len(found.claims), 'time')}, {duration(lost)}), and "
        f"go on only when {users(facts.model, {wait.who for wait in still})}"
        f"{place_in(worst.site)} has given up waiting in `{worst.name}` for what they have. "
        f"Give it back before each pause."
    )
    waits.told.update(wait.slice for wait in still)
    return Finding("deadlock", lost, text, waits.evidence(worst), behind=one.site)


def _asked_until(found: Resource, wait: Wait) -> bool:
    """Whether some asked for most of a wait, none of them went on before its end, and all of
    them did so one pause after it."""
    asked = [
        claim
        for claim in found.claims
        if claim.end_ns > wait.start_ns and wait.met_ns(claim) * 2 >= wait.ns
    ]
    pause_ns = max((claim.ns // claim.looks for claim in asked), default=0)
    return bool(asked) and all(
        0 <= claim.end_ns - wait.end_ns <= pause_ns + _AT_ONCE_NS for claim in asked
    )


def _stood_still(group: Group, served: list[int], wait: Wait) -> bool:
    """Whether others waited for a slot all the while, or for half of it where it was he who
    then gave one, and got one only when it gave up."""
    since, until = wait.start_ns + _AT_ONCE_NS, wait.end_ns - _AT_ONCE_NS
    first = bisect_left(served, since)
    is_first = first < len(served) and until <= served[first] <= wait.end_ns + _AT_ONCE_NS
    middle = (wait.start_ns + wait.end_ns) // 2
    return is_first and any(
        w.start_ns <= (middle if w.ender == wait.who else since) and w.end_ns >= until
        for w in group.waits
    )


def _apart(waits: list[Wait]) -> list[Wait]:
    """One of those that overlap, the first to begin."""
    found = list[Wait]()
    for wait in sorted(waits, key=lambda wait: wait.start_ns):
        if not found or wait.start_ns >= found[-1].end_ns:
            found.append(wait)
    return found
