"""SQLite's busy time-outs: calls that all waited for its lock until they gave up."""

from collections.abc import Iterator

from tracer.units import duration, plural
from viewer.analysis.findings.basis.databases import (
    LOCKED_NS,
    LOST_NS,
    computes,
    evidence,
    locked_in_sqlite,
    sqlite_calls,
)
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import place_in, users
from viewer.analysis.findings.basis.words import at
from viewer.words import code

_MS = 1_000_000
# Three calls or more of one length, which is a round one: that of a busy time-out, in which
# no CPU is used. SQLite asks again after 103 ms at the eighth time: a call of that length may
# have got the lock.
_REGULAR_NS = 10 * _MS
_ROUND_NS = 100 * _MS
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
        f"`pragma journal_mode=wal`, in which readers hold up no writer."
    )
    return Finding("database locked", lost, text, evidence(facts, worst))
