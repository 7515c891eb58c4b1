"""Waits for a database that the program itself keeps locked: SQLite's, or rows of a server.

A transaction is open between two calls of a thread or task. Whether a wait was for it, the end
tells: SQLite has one lock; of a server, the answers come when the transaction goes on.
"""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from tracer import schema as s
from tracer.units import plural
from viewer.analysis.findings.basis.doing import doing
from viewer.analysis.findings.basis.facts import (
    LOST_NS,
    NOT_ITS_FAULT,
    Evidence,
    Facts,
    Finding,
)
from viewer.analysis.findings.basis.waits import name_of, place_in, users
from viewer.analysis.findings.basis.words import in_total
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import window
from viewer.analysis.resources.reading import awaits_of
from viewer.analysis.states import having, stack_of
from viewer.trace.columns import CONTINUES, IO, Column
from viewer.trace.sites import is_library, place_of
from viewer.words import code

_MS = 1_000_000
# SQLite's busy handler sleeps up to 100 ms at a time; disks and most queries are quicker. It
# must have cost half a second.
LOCKED_NS = 100 * _MS
_SQLITE = "sqlite3."
_ADVICE = "Do slow work before `begin` or after `commit`"
_MOMENT = 2  # CPU samples: who waits for a lock has hardly any
_CONNECT, _CLOSE = "sqlite3.connect", "sqlite3.Connection.close"
_MOST = 200  # waits that are examined, the longest ones
_KEPT_NS = 5 * _MS  # between two calls: a transaction may be open
# psycopg waits in pieces of 100 ms, between which it looks for signals.
_PIECE_NS = 50 * _MS
_BETWEEN_NS = 5 * _MS
# The lock of a row is given to the next one at once. A call in one of these functions ends the
# transaction; who never calls one makes each statement a transaction of its own.
_ENDS = re.compile(r" \S*\.?_*(commit|rollback|close|exit|aexit)_*$", re.MULTILINE)
# Who waits there asks for nothing.
_LISTENS = re.compile(r"-packages/\S+ \S*\bnotif\w*$", re.MULTILINE)
_SOON_NS = 50 * _MS
_CLIENTS = (
    "psycopg",
    "psycopg2",
    "pymysql",
    "MySQLdb",
    "mysql",
    "mariadb",
    "pg8000",
    "oracledb",
)
_QUERY = f"{s.AWAIT_PREFIX}query ("
_ENDED = f"{s.AWAIT_PREFIX}close (asyncpg)"  # with what the connection had begun
_BY_THREAD = f"{s.AWAIT_PREFIX}executor (aiosqlite)"


class Call(NamedTuple):
    """A call of the database by a thread or a task."""

    who: Who
    start_ns: int
    end_ns: int
    name: str
    site: str
    is_opening: bool = False  # or, of a time between calls, follows such a call
    ends: bool = False  # a transaction
    thread: int = -1  # that makes the call, for whomever
    is_closing: bool = False  # a connection

    @property
    def ns(self) -> int:
        return self.end_ns - self.start_ns


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
        calls = {who: own for who, own in calls.items() if any(call.ends for call in own)}
    kept = [gap for gap in _kept_open(calls, long[:_MOST]) if _own_ns(facts, gap) >= _KEPT_NS]
    if is_server:
        long, kept = _set_free(long, kept)
    else:
        # A `begin` that waits for nobody may be too short to be in the trace.
        some = _kept_from(long, [gap for gap in kept if not gap.is_opening])
        is_enough = sum(call.ns for call in some[0]) >= LOST_NS
        long, kept = some if is_enough else _kept_from(long, kept)
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


def _own_ns(facts: Facts, gap: Call) -> int:
    """How long a transaction was kept open, without what the kernel and the GIL took."""
    kind, which = gap.who
    if kind != "thread":
        return gap.ns
    return gap.ns - facts.split(which, window(gap.start_ns, gap.end_ns)).of(NOT_ITS_FAULT)


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
        for before, after in pairwise(own):
            gap = before._replace(start_ns=before.end_ns, end_ns=after.start_ns, name="")
            # Who has the lock does not wait for it in its next call.
            is_over = before.ends or before.is_closing or after.is_opening or after.is_closing
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
    return waits, list(causes)


# SQLite --------------------------------------------------------------------------------------


def calls_of(
    facts: Facts, states: Iterable[int], wanted: Column | None = None, least_ns: int = 0
) -> list[int]:
    """Rows of States of calls, in order of begin; `wanted` chooses by row of call."""
    table = facts.model.states
    found = facts.rows_of(states, least_ns)
    if wanted is not None:
        found = facts.model.trace.engine.pick(found, table.row, wanted)
    return sorted(found, key=table.start_ns.__getitem__)


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
    for row in calls_of(facts, (IO,), memoryview(wanted)):
        # The kernel may cut a call that computes into hundreds of pieces.
        if not table.state[row] & CONTINUES:
            begun[table.who[row]] = row
        ends[begun.setdefault(table.who[row], row)] = table.end_ns[row]
    asked = _Askers(facts)
    for row, end in ends.items():
        start = table.start_ns[row]
        name, site = facts.call(table.row[row])
        who: Who = ("thread", table.who[row])
        if is_library(site):
            who, site = asked.by(start, end) or (who, site)
        opens, closes, thread = name == _CONNECT, name == _CLOSE, table.who[row]
        found[who].append(Call(who, start, end, name, site, opens, False, thread, closes))
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


# Servers ------------------------------------------------------------------------------------


class _ServerCalls(dict[Who, list[Call]]):
    """What `server_calls` finds, once for a model."""


def server_calls(facts: Facts) -> dict[Who, list[Call]]:
    """Queries by tasks, named by their library; and by threads, known by their stacks."""
    return facts.model.derive(_ServerCalls, lambda: _ServerCalls(_queries(facts)))


def _queries(facts: Facts) -> dict[Who, list[Call]]:
    model, slices = facts.model, facts.model.trace.slices
    found = defaultdict[Who, list[Call]](list)
    for i in awaits_of(facts, (_QUERY, _ENDED)):
        who: Who = ("task", model.owners.owner[i])
        what, site = facts.awaited(i)
        name = what.removeprefix(s.AWAIT_PREFIX)
        stack = facts.stack(i)
        if _listens(stack):
            continue
        ends = what == _ENDED or _ends(stack)
        found[who].append(
            Call(who, slices.start_ns[i], slices.end_ns[i], name, site, ends=ends)
        )
    for who, calls in _queries_of_threads(facts).items():
        found[who] += calls
    return found


def _queries_of_threads(facts: Facts) -> dict[Who, list[Call]]:
    table = facts.model.states
    found: dict[Who, list[Call]] = {}
    long = [row for row in calls_of(facts, (IO,), least_ns=_PIECE_NS) if _package(facts, row)]
    if not long:
        return found
    by_thread = defaultdict[int, list[int]](list)
    for row in calls_of(facts, (IO,)):
        by_thread[table.who[row]].append(row)
    for thread, rows in by_thread.items():
        found["thread", thread] = _merged(facts, thread, rows)
    return found


def _merged(facts: Facts, thread: int, rows: list[int]) -> list[Call]:
    """The queries of a thread, of which psycopg's consist of pieces.

    Where a piece has no stack, it is of the query that the next one or the one before is of.
    """
    table, pieces, found = facts.model.states, list[Call](), list[Call]()
    for row in rows:
        package, call = _package(facts, row), facts.call(table.row[row])
        if package or call == ("poll", ""):
            name, site = (f"query ({package})", call[1]) if package else ("", "")
            start, end = table.start_ns[row], table.end_ns[row]
            ends = _ends(stack_of(facts.model, row))
            pieces.append(Call(("thread", thread), start, end, name, site, ends=ends))
    for n in (*reversed(range(len(pieces) - 1)), *range(1, len(pieces))):
        for other in pieces[n + 1 : n + 2] + pieces[max(n - 1, 0) : n]:
            if not pieces[n].name and other.name and _is_beside(pieces[n], other):
                pieces[n] = other._replace(
                    start_ns=pieces[n].start_ns, end_ns=pieces[n].end_ns
                )
    last_ns = 0
    for piece in pieces:
        is_more = last_ns >= _PIECE_NS and _is_beside(piece, found[-1])
        last_ns = piece.ns
        if is_more and found[-1].site == piece.site:
            found[-1] = found[-1]._replace(end_ns=piece.end_ns)
        else:
            found.append(piece)
    return [call for call in found if call.name]


def _is_beside(a: Call, b: Call) -> bool:
    return max(a.start_ns - b.end_ns, b.start_ns - a.end_ns) < _BETWEEN_NS


def _package(facts: Facts, row: int) -> str:
    """The client library in whose code a call waits; "" none."""
    return _client(stack_of(facts.model, row))


@lru_cache(maxsize=4096)
def _client(stack: str) -> str:
    if _listens(stack):
        return ""
    return next((name for name in _CLIENTS if f"-packages/{name}/" in stack), "")


@lru_cache(maxsize=4096)
def _listens(stack: str) -> bool:
    """Whether a call waits for notifications."""
    return _LISTENS.search(stack) is not None


@lru_cache(maxsize=4096)
def _ends(stack: str) -> bool:
    """Whether a call ends a transaction: a client library's function says so."""
    return any(
        _ENDS.search(frame) is not None
        for frame in stack.split("\n")
        if any(f"-packages/{name}/" in frame for name in (*_CLIENTS, "asyncpg"))
    )
