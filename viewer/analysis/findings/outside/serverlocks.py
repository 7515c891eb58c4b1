"""Locks of a database server that no open transaction explains: those of a session, such as
`pg_advisory_lock`, and two transactions that wait for each other's rows."""

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from tracer import schema as s
from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.databases import LOCKED_NS, evidence, is_locked
from viewer.analysis.findings.basis.doing import doing
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.queries import Call, calls_of, server_calls
from viewer.analysis.findings.basis.waits import place_in, users
from viewer.analysis.findings.basis.words import at, in_total
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.reading import awaits_of
from viewer.analysis.states import mentioned, stack_of
from viewer.trace.columns import IO

# Three waits that end as one and the same thread goes on are no chance where they are nearly
# all of the long ones at their line.
_SOME = 3
_NEARLY = 4, 5
# They get it one after the other, and a busy machine is late: an eighth of the wait.
_SOON_NS, _PART = 50 * MS, 8
# A server looks for deadlocks once a wait has lasted for a while: a second in PostgreSQL.
_BOTH_NS = 200 * MS
_MOST = 200
_ROLLBACK = re.compile(r"-packages/\S+ \S*rollback$", re.MULTILINE)


class _Freed(NamedTuple):
    """Waits that ended when somebody, who had paused meanwhile, went on."""

    waits: list[Call]
    pauses: list[Call]


def server_lock(facts: Facts) -> Iterator[Finding]:
    calls = server_calls(facts)
    long = sorted(
        (call for own in calls.values() for call in own if call.ns >= LOCKED_NS),
        key=lambda call: -call.ns,
    )[:_MOST]
    if sum(call.ns for call in long) < LOST_NS:
        return
    if (found := _each_other(facts, calls, long)) is not None:
        yield found
    elif not is_locked(facts):
        yield from _of_sessions(facts, calls, long)


# A lock of the session ----------------------------------------------------------------------


def _of_sessions(
    facts: Facts, calls: dict[Who, list[Call]], long: list[Call]
) -> Iterator[Finding]:
    by_site = defaultdict[str, list[Call]](list)
    for call in long:
        by_site[call.site].append(call)
    gaps = [gap for own in calls.values() for gap in _pauses(own)]
    gaps.sort(key=lambda gap: gap.end_ns)
    for waits in by_site.values():
        freed = _freed(gaps, waits)
        lost = sum(call.ns for call in freed.waits)
        every = sum(call.ns for call in waits)
        is_enough = len(freed.waits) >= _SOME and lost >= LOST_NS
        if not is_enough or lost * _NEARLY[1] < every * _NEARLY[0]:
            continue
        worst = freed.waits[0]
        holders = {pause.who for pause in freed.pauses}
        did = doing(facts, [(gap.who, gap.start_ns, gap.end_ns) for gap in freed.pauses])
        who = users(facts.model, (call.who for call in freed.waits))
        text = (
            f"Database locked: {who} waited in `{worst.name}`{place_in(worst.site)}: "
            f"{plural(len(freed.waits), 'wait')}, "
            f"{in_total(facts, lost, worst.ns, worst.start_ns)}, and all ended when "
            f"{users(facts.model, holders)} asked the database "
            f"again{place_in(freed.pauses[0].site)}{f', {did} until then' if did else ''}. No "
            f"transaction was open meanwhile, so it most likely had a lock of its session "
            f"(`pg_advisory_lock`, `get_lock`), which a commit does not end. Do slow work "
            f"without it, or take one that ends with the transaction "
            f"(`pg_advisory_xact_lock`)."
        )
        yield Finding("database locked", lost, text, evidence(facts, worst))


def _pauses(own: list[Call]) -> Iterator[Call]:
    """The times between two calls without a transaction, with the place of the second one."""
    commits = any(call.ends for call in own)
    for before, after in pairwise(own):
        if commits and not before.ends:
            continue
        if after.start_ns - before.end_ns >= LOCKED_NS and not after.is_opening:
            yield after._replace(start_ns=before.end_ns, end_ns=after.start_ns)


def _freed(gaps: list[Call], waits: list[Call]) -> _Freed:
    """Waits of which nearly all lies in the pause of another one, and that ended right after
    it; on a busy machine somebody may wait before the one who has the lock pauses."""
    found = _Freed([], [])
    ends = [gap.end_ns for gap in gaps]
    for call in waits:
        last = bisect_right(ends, call.end_ns)
        for gap in reversed(gaps[:last]):
            if call.end_ns - gap.end_ns > max(_SOON_NS, call.ns // _PART):
                break
            met = min(gap.end_ns, call.end_ns) - max(gap.start_ns, call.start_ns)
            if gap.who != call.who and met * _NEARLY[1] >= call.ns * _NEARLY[0]:
                found.waits.append(call)
                found.pauses.append(gap)
                break
    return found


# Each other's rows --------------------------------------------------------------------------


def _each_other(
    facts: Facts, calls: dict[Who, list[Call]], long: list[Call]
) -> Finding | None:
    """Two wait at the same time, each with a transaction open; one rolls back, and the other
    goes on. The server frees that one as it answers this one: either may hear of it first."""
    if not mentioned(facts.model, "rollback"):
        return None
    backs = _rollbacks(facts)
    long = sorted(long, key=lambda call: call.start_ns)
    open_ = {call: before for own in calls.values() for before, call in pairwise(own)}
    circles = list[tuple[Call, Call]]()
    for first in long:
        rolled = _next(backs.get(first.who, []), first.end_ns)
        before = open_.get(first)
        if before is None or before.ends or not 0 <= rolled - first.end_ns <= _SOON_NS:
            continue
        for other in long:
            had = open_.get(other)
            both = min(first.end_ns, other.end_ns) - max(first.start_ns, other.start_ns)
            if (
                other.who != first.who
                and both >= _BOTH_NS
                and had is not None
                and not had.ends
                and -_SOON_NS <= other.end_ns - rolled <= _SOON_NS
                and not _rolls_back(backs, other)
            ):
                circles.append((first, other))
                break
    lost = sum(call.ns for call in {call for pair in circles for call in pair})
    if not circles or lost < LOST_NS:
        return None
    first, other = max(circles, key=lambda pair: pair[0].ns)
    one, two = users(facts.model, [first.who]), users(facts.model, [other.who])
    text = (
        f"Deadlock in the database {at(facts, first.start_ns)}, for {duration(first.ns)}: "
        f"{one} waited in `{first.name}`{place_in(first.site)} and {two} in "
        f"`{other.name}`{place_in(other.site)}, each with a transaction open. {one} had to "
        f"roll back, and only then did the other one go on"
    )
    if len(circles) > 1:
        text += f"; this happened {len(circles)} times"
    step = (
        "Lock rows in one order everywhere (`order by id … for update`), and be ready to try "
        "the whole transaction again."
    )
    return Finding("deadlock", lost, f"{text}.", evidence(facts, first), step)


def _rolls_back(backs: dict[Who, list[int]], call: Call) -> bool:
    return 0 <= _next(backs.get(call.who, []), call.end_ns) - call.end_ns <= _SOON_NS


def _next(times: list[int], since_ns: int) -> int:
    """The first of these times since a moment; -1 none."""
    return next((time for time in times if time >= since_ns), -1)


def _rollbacks(facts: Facts) -> dict[Who, list[int]]:
    """When threads and tasks began to roll back."""
    table, slices = facts.model.states, facts.model.trace.slices
    found = defaultdict[Who, list[int]](list)
    for row in calls_of(facts, (IO,)):
        if _ROLLBACK.search(stack_of(facts.model, row)):
            found["thread", table.who[row]].append(table.start_ns[row])
    for i in awaits_of(facts, f"{s.AWAIT_PREFIX}query ("):
        if _ROLLBACK.search(facts.stack(i)):
            found["task", facts.model.owners.owner[i]].append(slices.start_ns[i])
    return found
