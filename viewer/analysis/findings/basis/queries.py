"""Queries of databases by threads and tasks, whole where the library waits in pieces."""

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from tracer import schema as s
from tracer.units import MS
from viewer.analysis.findings.basis.facts import Facts
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.reading import awaits_of
from viewer.analysis.states import stack_of
from viewer.trace.columns import IO, Column
from viewer.trace.sites import is_library

# psycopg waits in pieces of 100 ms, between which it looks for signals.
_PIECE_NS = 50 * MS
_BETWEEN_NS = 5 * MS
_PIECES = "(psycopg"
_SLOW_NS = 100 * MS  # what a task waited for may be kept by a thread with short calls alone
# The lock of a row is given to the next one at once. A call in one of these functions ends the
# transaction; who never calls one makes each statement a transaction of its own.
_ENDS = re.compile(r" \S*\.?_*(commit|rollback|close|exit|aexit)_*$", re.MULTILINE)
# Who waits there asks for nothing.
_LISTENS = re.compile(r"-packages/\S+ \S*\bnotif\w*$", re.MULTILINE)
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
_IN_C, _POLL = "psycopg2", "poll"
_QUERY = f"{s.AWAIT_PREFIX}query ("
_ENDED = f"{s.AWAIT_PREFIX}close (asyncpg)"  # with what the connection had begun


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
    is_bare: bool = False  # the trace knows the C library's call, not what it is for

    @property
    def ns(self) -> int:
        return self.end_ns - self.start_ns


def calls_of(
    facts: Facts, states: Iterable[int], wanted: Column | None = None, least_ns: int = 0
) -> list[int]:
    """Rows of States of calls, in order of begin; `wanted` chooses by row of call."""
    found = facts.rows_of(states, least_ns)
    if wanted is not None:
        found = facts.model.trace.engine.pick(found, facts.model.states.row, wanted)
    return facts.in_order(found)


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
    joined = {who: _joined(pieces) for who, pieces in found.items()}
    is_slow = any(call.ns >= _SLOW_NS for own in joined.values() for call in own)
    threads = _queries_of_threads(facts, 0 if is_slow else _PIECE_NS)
    loops = {("thread", facts.ledger.thread_of_task(task)) for _, task in joined}
    # What the steps of those tasks call is theirs.
    return joined | {who: own for who, own in threads.items() if who not in loops}


def _queries_of_threads(facts: Facts, least_ns: int) -> dict[Who, list[Call]]:
    """Of all threads, if one made a call of `least_ns` or longer."""
    table = facts.model.states
    found: dict[Who, list[Call]] = {}
    if not any(_package(facts, row) for row in calls_of(facts, (IO,), least_ns=least_ns)):
        return found
    by_thread = defaultdict[int, list[int]](list)
    for row in calls_of(facts, (IO,)):
        by_thread[table.who[row]].append(row)
    every = (row for rows in by_thread.values() for row in rows)
    in_c = any(_package(facts, row) == _IN_C for row in every)
    for thread, rows in by_thread.items():
        found["thread", thread] = _merged(facts, thread, rows, in_c)
    return found


def _merged(facts: Facts, thread: int, rows: list[int], in_c: bool) -> list[Call]:
    """The queries of a thread, of which psycopg's consist of pieces.

    Where a piece has no stack, it is of the query that the next one or the one before is of.
    `in_c`: some are those of a library that has no Python code.
    """
    table, pieces = facts.model.states, list[Call]()
    for row in rows:
        package, call = _package(facts, row), facts.call(table.row[row])
        # The first call at a line of a library that has no Python code is known as this alone.
        is_bare = in_c and not package and call[0] == _POLL and not is_library(call[1])
        if package or is_bare or call == (_POLL, ""):
            package = package or _IN_C * is_bare
            name, site = (f"query ({package})", call[1]) if package else ("", "")
            start, end = table.start_ns[row], table.end_ns[row]
            stack = stack_of(facts.model, row)
            ends = _ends(stack, call[0])
            opens = in_c and stack.partition("\n")[0].endswith(" connect")
            who = "thread", thread
            pieces.append(Call(who, start, end, name, site, opens, ends, is_bare=is_bare))
    for n in (*reversed(range(len(pieces) - 1)), *range(1, len(pieces))):
        for other in pieces[n + 1 : n + 2] + pieces[max(n - 1, 0) : n]:
            if not pieces[n].name and other.name and _is_beside(pieces[n], other):
                pieces[n] = other._replace(
                    start_ns=pieces[n].start_ns, end_ns=pieces[n].end_ns
                )
    return [call for call in _joined(pieces) if call.name]


def _joined(pieces: list[Call]) -> list[Call]:
    """Calls of one thread or task, in order: pieces of one wait are one call."""
    found, last_ns = list[Call](), 0
    for piece in pieces:
        is_more = last_ns >= _PIECE_NS and _is_beside(piece, found[-1])
        last_ns = piece.ns
        if is_more and found[-1][3:5] == piece[3:5] and _PIECES in piece.name:
            found[-1] = found[-1]._replace(end_ns=piece.end_ns)
        else:
            found.append(piece)
    return found


def _is_beside(a: Call, b: Call) -> bool:
    return max(a.start_ns - b.end_ns, b.start_ns - a.end_ns) < _BETWEEN_NS


def _package(facts: Facts, row: int) -> str:
    """The client library in whose code a call waits; "" none."""
    stack = stack_of(facts.model, row)
    of_call = facts.call(facts.model.states.row[row])[0].partition(".")[0]
    return _client(stack) or of_call * (of_call in _CLIENTS and not _listens(stack))


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
def _ends(stack: str, name: str = "") -> bool:
    """Whether a call ends a transaction: a client library's function says so."""
    if name.partition(".")[0] in _CLIENTS and _ENDS.search(f" {name}") is not None:
        return True
    return any(
        _ENDS.search(frame) is not None
        for frame in stack.split("\n")
        if any(f"-packages/{name}/" in frame for name in (*_CLIENTS, "asyncpg"))
    )
