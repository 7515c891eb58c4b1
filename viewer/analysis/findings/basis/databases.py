"""Waits for a database that the program itself keeps locked: SQLite's, or rows of a server.

A transaction is open between two calls of a thread or task. Whether a wait was for it, the end
tells: SQLite has one lock; of a server, the answers come when the transaction goes on.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Self

from tracer import schema as s
from tracer.units import MS, plural
from viewer.analysis.findings.basis.doing import doing
from viewer.analysis.findings.basis.facts import (
    LOST_NS,
    NOT_ITS_FAULT,
    Evidence,
    Facts,
    Finding,
)
from viewer.analysis.findings.basis.queries import Call, calls_of, server_calls
from viewer.analysis.findings.basis.waits import name_of, place_in, users
from viewer.analysis.findings.basis.words import in_total
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import window
from viewer.analysis.resources.failures import Failures
from viewer.analysis.resources.reading import awaits_of
from viewer.analysis.states import having
from viewer.trace.columns import CONTINUES, IO, SLEEP
from viewer.trace.sites import is_library, place_of
from viewer.words import code

# SQLite's busy handler sleeps up to 100 ms at a time; disks and most queries are quicker. It
# must have cost half a second.
LOCKED_NS = 100 * MS
_SQLITE = "sqlite3."
_ADVICE = "Do slow work before `begin` or after `commit`"
_MOMENT = 2  # CPU samples: who waits for a lock has hardly any
_CONNECT, _CLOSE = "sqlite3.connect", "sqlite3.Connection.close"
_MOST = 200  # waits that are examined, the longest ones
_KEPT_NS = 5 * MS  # between two calls: a transaction may be open
_SOON_NS = 50 * MS
_LATE_PART = 10  # a time-out ends waits at most a tenth of it later
_LOCKED = ("LockNotAvailable", "QueryCanceled", "DeadlockDetected", "OperationalError")
_ERRORS = 5_000  # at a line that are looked at
_BY_THREAD = f"{s.AWAIT_PREFIX}executor (aiosqlite)"


def database_locked(facts: Facts) -> Iterator[Finding]:
    """Others wait for the database while somebody here keeps a transaction open."""
    for found in (
        locked_in_sqlite(facts),
        _locked_on_server(facts),
    ):
        if found is not None:
            yield found


def locked_in_sqlite(facts: Facts) -> Finding | None:
    return _locked(facts, "SQLite's lock", False, sqlite_calls(facts))


def _locked_on_server(facts: Facts) -> Finding | None:
    return _locked(facts, "a row or table that is locked", True, server_calls(facts))


def is_locked(facts: Facts) -> bool:
    """Whether a transaction of this program keeps others from a database."""
    return locked_in_sqlite(facts) is not None or _locked_on_server(facts) is not None


def _locked(
    facts: Facts, of_whom: str, is_server: bool, calls: dict[Who, list[Call]]
) -> Finding | None:
    long = [call for found in calls.values() for call in found if call.ns >= LOCKED_NS]
    if not is_server:
        long = [call for call in long if not computes(facts, call)]
    long.sort(key=lambda call: -call.ns)
    if sum(call.ns for call in long) < LOST_NS:
        return None
    if is_server:
        calls = {
            who: own
            for who, own in calls.items()
            if any(call.ends or call.is_bare for call in own)
        }
    kept = [gap for gap in _kept_open(calls, long[:_MOST]) if _own_ns(facts, gap) >= _KEPT_NS]
    if is_server:
        long, kept = _set_free(long, [gap for gap in kept if not gap.is_closing])
    else:
        # A `begin` that waits for nobody may be too short to be in the trace; so is each row
        # that is read from a `select`, which has the lock until its connection is closed.
        closed = [gap for gap in kept if gap.is_closing and not gap.is_opening]
        kept = [gap for gap in kept if not gap.is_closing]
        closed = closed if LockErrors.of(facts) else [*_ended_by(long, closed)]
        between = [gap for gap in kept if not gap.is_opening]
        for gaps in (between, kept, closed, [*kept, *closed]):
            some = _kept_from(long, gaps)
            if sum(call.ns for call in some[0]) >= LOST_NS:
                break
        long, kept = some
    lost = sum(call.ns for call in long)
    if lost < LOST_NS or not kept:
        return None
    worst, keepers = long[0], users(facts.model, (gap.who for gap in kept))
    did = doing(facts, [(gap.who, gap.start_ns, gap.end_ns) for gap in kept])
    last = max(kept, key=lambda gap: gap.ns).site
    is_left = is_server and bool(last) and code(place_of(last).function) not in did
    since = f" after its call{place_in(last)}" if is_left else ""
    step = "Commit or roll back there" if is_left else _ADVICE
    then = "; the waits ended when it went on" if is_server else ""
    text = (
        f"Database locked: {users(facts.model, (call.who for call in long))} waited in "
        f"{code(worst.name)}{place_in(worst.site)} for {of_whom}: "
        f"{plural(len(long), 'wait')}, {in_total(facts, lost, worst.ns, worst.start_ns)}. "
        f"Meanwhile {keepers} kept a transaction "
        f"open{since}{f', {did}' if did else ''}{then}. {step}."
    )
    return Finding("database locked", lost, text, evidence(facts, worst))


def _ended_by(long: list[Call], gaps: list[Call]) -> Iterator[Call]:
    """Those at whose end a wait ended."""
    for gap in gaps:
        if any(0 <= call.end_ns - gap.end_ns <= _SOON_NS for call in long):
            yield gap


def _own_ns(facts: Facts, gap: Call) -> int:
    """How long a transaction was kept open, without what the kernel and the GIL took."""
    kind, which = gap.who
    if kind != "thread":
        return gap.ns
    return gap.ns - facts.split(which, window(gap.start_ns, gap.end_ns)).of(NOT_ITS_FAULT)


class LockErrors(list[tuple[int, Who, str]]):
    """When, to whom and as which exceptions waits for a lock may have come to nothing."""

    @classmethod
    def of(cls, facts: Facts) -> Self:
        """Those of the model, found once: whoever asks for SQLite's calls asks for them."""
        return facts.model.derive(cls, lambda: cls(_lock_errors(Failures.of(facts))))


def _lock_errors(failures: Failures) -> Iterator[tuple[int, Who, str]]:
    for (_, how), which in failures.by_line.items():
        if how in _LOCKED:
            for one in failures.told(which[:_ERRORS]):
                yield one.at_ns, one.who, how


def evidence(facts: Facts, call: Call) -> Evidence:
    name = name_of(facts.model, call.who)
    return facts.evidence(call.who, call.start_ns, call.ns, call.site, track=name)


def _kept_open(calls: dict[Who, list[Call]], long: list[Call]) -> list[Call]:
    """The times between two calls in which others waited for the database."""
    waits = sorted((call.start_ns, call.end_ns) for call in long)
    latest, starts = list[int](), [start for start, _ in waits]
    for _, end in waits:
        latest.append(max(end, latest[-1] if latest else 0))
    found, waiting = list[Call](), set(long)
    for own in calls.values():
        is_bare = any(call.is_bare for call in own) and not any(call.ends for call in own)
        for before, after in pairwise(own):
            start, end, is_last = before.end_ns, after.start_ns, after.is_closing
            gap = before._replace(start_ns=start, end_ns=end, name="", is_closing=is_last)
            if is_bare and (before.is_opening or not after.is_bare):
                continue  # what is known of it ends no transaction
            # Who has the lock does not wait for it in its next call.
            is_over = before.ends or before.is_closing or after.is_opening
            if gap.ns < _KEPT_NS or is_over or after in waiting:
                continue
            last = bisect_left(starts, gap.end_ns) - 1
            if last >= 0 and latest[last] > gap.start_ns:
                found.append(gap)
    return found


def _kept_from(long: list[Call], kept: list[Call]) -> tuple[list[Call], list[Call]]:
    """The waits that transactions of others were open for half of, one after the other; and
    those. What else locks the file is not of this program."""
    waits, causes = list[Call](), dict[Call, None]()
    longest = sorted(kept, key=lambda gap: -gap.ns)[:_MOST]
    kept = sorted(longest, key=lambda gap: gap.start_ns)
    for call in long:
        covered, until_ns, by = 0, call.start_ns, list[Call]()
        for gap in kept:
            if gap.who == call.who or gap.thread == call.thread >= 0:
                continue  # what one thread does in turn does not lock itself
            if until_ns < gap.end_ns and gap.start_ns < call.end_ns:
                end_ns = min(gap.end_ns, call.end_ns)
                covered += end_ns - max(until_ns, gap.start_ns)
                until_ns = end_ns
                by.append(gap)
        if covered * 2 >= call.ns:
            waits.append(call)
            causes |= dict.fromkeys(by)
    return waits, list(causes)


def _set_free(long: list[Call], kept: list[Call]) -> tuple[list[Call], list[Call]]:
    """The waits that end when a transaction that was open before them goes on; and those."""
    waits, causes = list[Call](), dict[Call, None]()
    ends = sorted((call.end_ns, call.start_ns) for call in long)
    for call in long:
        # Those who wait get the row in turn: what sets the first one free sets all of them.
        before = next((end for end, start in ends if end > call.start_ns), call.end_ns)
        for gap in kept:
            is_before = gap.start_ns <= call.start_ns + _SOON_NS and gap.who != call.who
            if is_before and any(0 <= end - gap.end_ns <= _SOON_NS
                                 for end in (call.end_ns, before)):  # fmt: skip
                causes[gap] = None
                waits.append(call)
                break
    freed = set(waits)
    others = [call for call in long if call not in freed]
    waits = [*waits, *dict.fromkeys(_given_up(others, waits, list(causes)))]
    waits.sort(key=lambda call: -call.ns)
    return waits, list(causes)


def _given_up(others: list[Call], waits: list[Call], kept: list[Call]) -> Iterator[Call]:
    """What whoever waited had waited there before, each time until the same time-out."""
    for wait in waits:
        before = [
            call
            for call in others
            if (call.who, call.site) == (wait.who, wait.site)
            and wait.ns <= call.ns
            and call.end_ns <= wait.start_ns
            and any(
                gap.start_ns <= call.start_ns and wait.start_ns < gap.end_ns for gap in kept
            )
        ]
        limit_ns = max((call.ns for call in before), default=0)
        if all(call.ns >= limit_ns - limit_ns // _LATE_PART for call in before):
            yield from before


# SQLite --------------------------------------------------------------------------------------


def computes(facts: Facts, call: Call) -> bool:
    """Whether the thread used the CPU in a call for more than a moment, by the samples of it:
    it is a slow query, not a wait for the lock."""
    if call.thread < 0:
        return False
    tid = facts.model.threads[call.thread].tid
    return len(facts.stacks(tid, [(call.start_ns, call.end_ns)])) > _MOMENT


def sqlite_calls(facts: Facts) -> dict[Who, list[Call]]:
    """By thread, or by the task for which aiosqlite's thread makes the call."""
    table = facts.model.states
    wanted = having(facts.model, table.call_name, lambda name: _SQLITE in name)
    found = defaultdict[Who, list[Call]](list)
    if 1 not in wanted:
        return found
    ends, begun = dict[int, int](), dict[int, int]()  # by row; by thread: its last call's row
    sleeps = _sleeps_at(facts, wanted)
    for row in facts.in_order([*calls_of(facts, (IO,), memoryview(wanted)), *sleeps]):
        # The kernel may cut a call that computes into hundreds of pieces.
        if not table.state[row] & CONTINUES:
            begun[table.who[row]] = row
        ends[begun.setdefault(table.who[row], row)] = table.end_ns[row]
    asked = _Askers(facts)
    for row, end in ends.items():
        start = table.start_ns[row]
        name, site = facts.call(table.row[row])
        name = sleeps.get(row, name)
        who: Who = ("thread", table.who[row])
        if is_library(site):
            who, site = asked.by(start, end) or (who, site)
        opens, closes, thread = name == _CONNECT, name == _CLOSE, table.who[row]
        found[who].append(Call(who, start, end, name, site, opens, False, thread, closes))
    return found


def _sleeps_at(facts: Facts, wanted: Sequence[int]) -> dict[int, str]:
    """Sleeps of SQLite in a call that the trace does not know yet, as the first commit at the
    end of a `with`, after which it gave up; and the name of one that it knows at the line."""
    table, names = facts.model.states, facts.call
    failed = sorted((at_ns, who) for at_ns, who, _ in LockErrors.of(facts))
    known = {names(call)[1]: names(call)[0] for call, is_its in enumerate(wanted) if is_its}
    found = dict[int, str]()
    for row in facts.rows_of((SLEEP,), LOCKED_NS) if failed else ():
        end, whose = table.end_ns[row], ("thread", table.who[row])
        first = bisect_left(failed, (end,))
        then = failed[first : bisect_left(failed, (end + _KEPT_NS,))]
        if (
            any(who == whose for _, who in then)
            and (site := names(table.row[row])[1]) in known
        ):
            found[row] = known[site]
    return found


class _Askers:
    """The awaits of tasks for a thread of aiosqlite, in order of begin."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.awaits = awaits_of(facts, _BY_THREAD)
        self.starts = [facts.model.trace.slices.start_ns[i] for i in self.awaits]

    def by(self, start_ns: int, end_ns: int) -> tuple[Who, str] | None:
        """The task that awaited a call, and where: the last that asked before it began."""
        ends, owner = self.facts.model.trace.slices.end_ns, self.facts.model.owners.owner
        last = bisect_left(self.starts, start_ns)
        for i in reversed(self.awaits[max(last - _MOST, 0) : last]):
            if ends[i] >= end_ns:
                return ("task", owner[i]), self.facts.awaited(i)[1]
        return None
