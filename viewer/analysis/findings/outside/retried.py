"""Transactions that are tried again, or given up, since a database was locked for too long."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.databases import (
    LOCKED_NS,
    computes,
    evidence,
    is_locked,
    locked_in_sqlite,
    sqlite_calls,
)
from viewer.analysis.findings.basis.doing import doing
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.queries import Call
from viewer.analysis.findings.basis.waits import place_in, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Who
from viewer.trace.columns import SLEEP
from viewer.trace.sites import function_of
from viewer.words import code

# Four pauses or more of one thread, half a second in all, for most of the time from the first
# one on; and none any more when the transaction had gone on.
_PAUSE_NS = 2 * MS
_PAUSES = 4
_COVERED = 7, 10
_AFTER = 5  # times as many pauses in a transaction's time as after it
_MOST = 20_000  # pauses that are looked at
_KEPT = 20  # transactions that are looked at, the longest ones

type _Place = tuple[str, str]
type _Pauses = dict[tuple[Who, _Place], list[tuple[int, int, str]]]


def retried_transaction(facts: Facts) -> Iterator[Finding]:
    """Threads look again and again until another one's transaction goes on."""
    calls = sqlite_calls(facts)
    gaps = [gap for who, own in calls.items() for gap in _open(who, own)]
    if not gaps or len(calls) < 2 or is_locked(facts):
        return
    pauses = _pauses(facts, calls)
    for gap in sorted(gaps, key=lambda gap: (_tries(gap, pauses), -gap.ns))[:_KEPT]:
        found = {
            (who, place): times
            for (who, place), every in pauses.items()
            if who != gap.who and (times := _until(every, gap))
        }
        lost = sum(end - start for times in found.values() for start, end, _ in times)
        if lost >= LOST_NS:
            yield _finding(facts, gap, found, lost)
            return


def _open(who: Who, own: list[Call]) -> Iterator[Call]:
    """The long times between two calls in which a transaction may be open."""
    for before, after in pairwise(own):
        is_over = before.ends or before.is_closing or after.is_opening or after.is_closing
        if after.start_ns - before.end_ns >= LOST_NS and not is_over and not before.is_opening:
            yield Call(
                who, before.end_ns, after.start_ns, "", after.site, thread=before.thread
            )


def _tries(gap: Call, pauses: _Pauses) -> bool:
    """Whether a thread itself paused again and again meanwhile: it rather has no transaction,
    and its tries that failed were too short to be recorded."""
    return any(who == gap.who and _until(every, gap) for (who, _), every in pauses.items())


def _pauses(facts: Facts, calls: dict[Who, list[Call]]) -> _Pauses:
    """By thread and function that also calls SQLite, its pauses in order of time."""
    table = facts.model.states
    asking = {
        (who, function_of(call.site))
        for who, own in calls.items()
        for call in own
    }  # fmt: skip
    found = defaultdict[tuple[Who, _Place], list[tuple[int, int, str]]](list)
    for row in facts.rows_of((SLEEP,), _PAUSE_NS)[:_MOST]:
        who: Who = ("thread", table.who[row])
        site = facts.call(table.row[row])[1]
        if (who, function_of(site)) in asking:
            found[who, function_of(site)].append(
                (table.start_ns[row], table.end_ns[row], site)
            )
    return found


def _until(every: list[tuple[int, int, str]], gap: Call) -> list[tuple[int, int, str]]:
    """The pauses in a transaction's time, where they fill it and end with it."""
    first = bisect_left(every, gap.start_ns, key=lambda one: one[0])
    times = every[first : bisect_left(every, gap.end_ns, key=lambda one: one[0])]
    after = len(every) - first - len(times)  # others may be quicker then, too
    if len(times) < _PAUSES or after * _AFTER > len(times):
        return []
    ns, whole = sum(end - start for start, end, _ in times), gap.end_ns - times[0][0]
    return times if ns * _COVERED[1] >= whole * _COVERED[0] else []


def _finding(
    facts: Facts,
    gap: Call,
    found: dict[tuple[Who, _Place], list[tuple[int, int, str]]],
    lost: int,
) -> Finding:
    (who, _), times = next(iter(found.items()))
    start, end, site = times[0]
    did = doing(facts, [(gap.who, gap.start_ns, gap.end_ns)])
    whos = users(facts.model, (who for who, _ in found))
    pauses = sum(map(len, found.values()))
    text = (
        f"Database locked: {whos}{place_in(site)} {'try' if whos[0].isdigit() else 'tries'} "
        f"again and again: {plural(pauses, 'pause')} between attempts, {duration(lost)} in "
        f"total ({at(facts, start)}), until {users(facts.model, [gap.who])} went on "
        f"{place_in(gap.site).strip()}, which had kept a transaction open for "
        f"{duration(gap.ns)}{f', {did}' if did else ''}. Do slow work before `begin` or after "
        f"`commit`, and let SQLite wait (`timeout=` of `connect`) instead of trying again."
    )
    return Finding(
        "database locked", lost, text, facts.evidence(who, start, end - start, site)
    )


# Three calls or more of one length, which is a round one: that of a busy time-out, in which
# no CPU is used. SQLite asks again after 103 ms at the eighth time: a call of that length may
# have got the lock.
_REGULAR_NS = 10 * MS
_ROUND_NS = 100 * MS
_LEAST_NS = 2 * _ROUND_NS
_SOME = 3


def busy_time_out(facts: Facts) -> Iterator[Finding]:
    """Others gave up to wait for SQLite's lock, and nobody here is seen to have it."""
    found = gave_up(facts)
    if found is not None and locked_in_sqlite(facts) is None:
        yield found


def gave_up(facts: Facts) -> Finding | None:
    """Calls of SQLite that all took as long as its busy time-out: no disk is that regular."""
    calls = [call for own in sqlite_calls(facts).values() for call in own]
    long = [call for call in calls if call.ns >= LOCKED_NS]
    middle = sorted(call.ns for call in long)[(len(long) - 1) // 2] if long else 0
    found = [call for call in long if abs(call.ns - middle) <= _REGULAR_NS]
    lost, least = sum(call.ns for call in found), min((c.ns for c in found), default=0)
    is_regular = len(found) >= _SOME and len(found) * 2 >= len(long)
    is_round = least >= _LEAST_NS and least % _ROUND_NS <= _REGULAR_NS
    if not is_regular or lost < LOST_NS or not is_round:
        return None
    ends = [call.end_ns for call in found]
    if max(ends) - min(ends) < least:
        return None  # one thing set them free
    if any(computes(facts, call) for call in found[:_SOME]):
        return None
    worst = max(found, key=lambda call: call.ns)
    text = (
        f"Database locked: {users(facts.model, (call.who for call in found))} waited in "
        f"{code(worst.name)}{place_in(worst.site)} for SQLite's lock and gave up: "
        f"{plural(len(found), 'wait')}, {duration(lost)} in total, each of "
        f"about {duration(least)}, the time-out ({at(facts, worst.start_ns)}). Who has the "
        f"lock is not in the trace: a transaction that is not committed, a cursor whose rows "
        f"are read slowly, or another program. Fetch all rows at once and commit soon, or use "
        f"`pragma journal_mode=wal`, in which readers do not block writers."
    )
    return Finding("database locked", lost, text, evidence(facts, worst))
