"""Answers and sends that take much longer than usual, or than all others at their line."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer import schema as s
from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.databases import evidence, is_locked, sqlite_calls
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.queries import Call, server_calls
from viewer.analysis.findings.basis.repeated import calls_by_thread
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in, users
from viewer.analysis.findings.basis.words import at, in_total, middle
from viewer.analysis.findings.outside.retried import gave_up
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import covers
from viewer.analysis.locks import ENDS
from viewer.analysis.resources.connections import is_own
from viewer.analysis.resources.pacing import stands_by
from viewer.analysis.resources.reading import awaits_of
from viewer.analysis.resources.waits import Wait, longest_rows
from viewer.analysis.states import stack_of
from viewer.trace.columns import IO
from viewer.trace.sites import is_library
from viewer.words import code

# Half a second, twenty times the usual, a second in all, at one time or one of them alone: no
# load explains that, when ten answers or more came in the usual time at the same line.
_LONG_NS = 500 * MS
_LOST_NS = 1_000 * MS
_TIMES = 20
_USUAL = 10
_ASLEEP_NS = 100 * MS  # SQLite asks for its lock that often
# What one event on the other side sets free comes within a moment.
_TOGETHER_NS = 50 * MS
_RESPONSE = " HTTPResponse.begin"
_RESPONSES = f"{s.AWAIT_PREFIX}response ("
_QUERY, _SQLITE = "query (", "sqlite3."
_ACCEPTS, _READS = "_accept_connection", "_SelectorSocketTransport."
_STEPS = {
    _QUERY: "Ask the server who had a lock then (`pg_locks`, `pg_stat_activity`), or what "
    "kept it busy; set `lock_timeout` and `statement_timeout`.",
    _SQLITE: "Look for another program that uses the file, for a connection of this one that "
    "never commits, or for a slow disk.",
}
_SENDS = ("socket.send", "socket.sendall")
_NOT_FOR_ONE = (
    "Look at what reads there, and whether it still does. Give the send a time-out, and drop "
    "who does not read; where several are sent to, each needs a queue and thread of its own."
)
_OF_OTHERS = "Look at the other side, and give the call a shorter time-out."


def slow_answer(facts: Facts) -> Iterator[Finding]:
    """A line waits far longer than usual for a database or a server that is not of this
    program."""
    by_place = defaultdict[tuple[str, str], list[Call]](list)
    long = False
    for calls in (server_calls(facts), sqlite_calls(facts), responses(facts)):
        for own in calls.values():
            for call in own:
                by_place[call.name, call.site].append(call)
                long = long or call.ns >= _LONG_NS
    if not long:
        return
    is_told, ends = is_locked(facts) or gave_up(facts) is not None, _ends_in_sqlite(facts)
    for (name, site), found in by_place.items():
        if is_told and name.startswith((_QUERY, _SQLITE)):
            continue
        usual = middle(call.ns for call in found)
        stalls = [call for call in found if call.ns >= max(_LONG_NS, usual * _TIMES)]
        stalls.sort(key=lambda call: -call.ns)
        if name.startswith(_SQLITE):
            stalls = [call for call in stalls if _is_alone(call, ends)]
        lost = sum(call.ns for call in stalls)
        is_clear = _apart_ns(stalls) <= _TOGETHER_NS or stalls[0].ns >= _LOST_NS
        is_odd = lost >= _LOST_NS and is_clear and len(found) - len(stalls) >= _USUAL
        times = [(call.who, call.start_ns, call.end_ns) for call in stalls]
        if is_odd and not stands_by(LongWaits.of(facts), times):
            yield _finding(facts, name, site, stalls, usual, lost)


def stuck_sends(facts: Facts) -> Iterator[Finding]:
    """A thread's send takes far longer than usual there: the other side does not read."""
    table = facts.model.states
    calls = calls_by_thread(facts, IO, _USUAL + 1, _SENDS)
    for (thread, call), rows in calls.items():
        name, site = facts.call(call)
        took = sorted(map(facts.row_ns, rows))
        usual, least = took[len(took) // 2], max(_LONG_NS, took[len(took) // 2] * _TIMES)
        stuck = [row for row in rows if facts.row_ns(row) >= least]
        lost = facts.total_ns(stuck)
        is_usual = len(rows) - len(stuck) >= _USUAL and call not in facts.of_transports
        if lost < _LOST_NS or not is_usual:
            continue
        who, worst = ("thread", thread), facts.longest(stuck)
        ns, start_ns = facts.row_ns(worst), table.start_ns[worst]
        text = (
            f"Slow client: {users(facts.model, [who])}{place_in(site)} hung in `{name}`, "
            f"which usually takes {duration(usual)} there: {plural(len(stuck), 'time')}, "
            f"{in_total(facts, lost, ns, start_ns)}. Whoever has the other end did not read "
            f"meanwhile, and the buffers between them were full."
        )
        yield Finding("slow client", lost, text, facts.evidence_of(worst), _NOT_FOR_ONE)


def _ends_in_sqlite(facts: Facts) -> list[int]:
    """When calls of SQLite ended, in order of time."""
    return sorted(call.end_ns for own in sqlite_calls(facts).values() for call in own)


def _is_alone(call: Call, ends: list[int]) -> bool:
    """Whether nobody of this program got through meanwhile: else they take turns, and SQLite
    lets some wait for long."""
    low = bisect_left(ends, call.start_ns + _ASLEEP_NS)
    return low >= bisect_left(ends, call.end_ns - _ASLEEP_NS)


def _apart_ns(stalls: list[Call]) -> int:
    ends = [call.end_ns for call in stalls]
    return max(ends, default=0) - min(ends, default=0)


def _finding(
    facts: Facts, name: str, site: str, stalls: list[Call], usual: int, lost: int
) -> Finding:
    worst, between = stalls[0], _apart_ns(stalls)
    text = (
        f"Slow answer: {users(facts.model, (call.who for call in stalls))}{place_in(site)} "
        f"waited {duration(worst.ns)} in `{name}` ({at(facts, worst.start_ns)}), where the "
        f"answer usually takes {duration(usual)}: {plural(len(stalls), 'such wait')}, "
        f"{duration(lost)} in total"
    )
    if len(stalls) > 1 and between <= _TOGETHER_NS:
        text += f". All of them ended within {duration(between)}: they waited for one thing"
    step = next((step for of, step in _STEPS.items() if name.startswith(of)), _OF_OTHERS)
    about = frozenset((site,))
    return Finding("slow answer", lost, f"{text}.", evidence(facts, worst), step, about=about)


def responses(facts: Facts) -> dict[Who, list[Call]]:
    """By thread or task the waits for the responses of HTTP servers, where one is long; the
    own process's are not outside."""
    model, table, found = facts.model, facts.model.states, defaultdict[Who, list[Call]](list)
    calls = {
        table.row[row]
        for row in facts.rows_of((IO,), _LONG_NS)
        if _RESPONSE in stack_of(model, row) and not is_own(facts, row)
    }
    if calls:
        every = memoryview(bytes(call in calls for call in range(len(table.call_name))))
        for row in model.trace.engine.pick(facts.rows_of((IO,), 0), table.row, every):
            name, site = facts.call(table.row[row])
            who: Who = ("thread", table.who[row])
            start, end = table.start_ns[row], table.end_ns[row]
            if end - start < _LONG_NS or not is_own(facts, row):
                found[who].append(Call(who, start, end, name, site))
    slices = model.trace.slices
    awaited = awaits_of(facts, _RESPONSES)
    for i in awaited if awaited and _serves_nobody(facts) else ():
        what, site = facts.awaited(i)
        who = ("task", model.owners.owner[i])
        name = what.removeprefix(s.AWAIT_PREFIX)
        found[who].append(Call(who, slices.start_ns[i], slices.end_ns[i], name, site))
    return found


def _serves_nobody(facts: Facts) -> bool:
    """Whether the tasks' servers must be outside: the program has one loop, of asyncio itself,
    which shows whom it accepts."""
    model = facts.model
    known = {model.trace.text(name) for name in {*model.owners.call_name}}
    return (
        len(model.loops) == 1
        and any(name.startswith(_READS) for name in known)
        and not any(_ACCEPTS in name for name in known)
        and not any(_ACCEPTS in coro for coro, _ in model.coroutines())
    )


# Half a second, and twenty times what such calls take as a rule, of ten or more. Somebody else
# waited for that thread for four fifths of a wait: else it may read what comes seldom.
_MOST = 200  # calls that are looked at, the longest ones
_LAST_READS = ("socket.recv", "ssl.")
_SOCKETS = ("/socket.py:", "/ssl.py:")
_RESULTS = ("Future.result", "futures.wait", "futures.as_completed", "executor", *ENDS)
_STEP = "Give the read a time-out (`settimeout`), and look at the other side."


class _Late(NamedTuple):
    row: int
    wait: Wait


def late_answers(facts: Facts) -> Iterator[Finding]:
    """A thread reads for long where others are answered soon, and is waited for."""
    table, waits = facts.model.states, LongWaits.of(facts)
    if not any(wait.ns >= _LONG_NS and wait.name.startswith(_RESULTS) for wait in waits.all):
        return
    long = [
        row
        for row in longest_rows(facts, (IO,), _LONG_NS, _MOST)
        if facts.call(table.row[row])[0].startswith(_LAST_READS)
        and _is_users(facts, row)
        and not is_own(facts, row)
    ]
    by_call = defaultdict[int, list[_Late]](list)
    for row in long:
        if wait := _waiter(waits, table.who[row], table.start_ns[row], table.end_ns[row]):
            by_call[table.row[row]].append(_Late(row, wait))
    if not by_call:
        return
    is_one = memoryview(bytes(n in by_call for n in range(len(table.call_name))))
    every = defaultdict[int, int](int)
    for row in facts.model.trace.engine.pick(facts.rows_of((IO,), 0), table.row, is_one):
        every[table.row[row]] += 1
    for call, late in by_call.items():
        usual = facts.usual_call_ns[call]
        late = [one for one in late if facts.row_ns(one.row) >= max(usual * _TIMES, _LONG_NS)]
        if late and every[call] - len(late) >= _USUAL:
            yield _last(facts, waits, late, usual, every[call] - len(late))


def _is_users(facts: Facts, row: int) -> bool:
    """Whether the program reads itself: what a library reads for it may come seldom."""
    frames = stack_of(facts.model, row).split("\n")
    frame = next((f for f in frames if not any(part in f for part in _SOCKETS)), "")
    return bool(frame) and not is_library(frame)


def _waiter(waits: LongWaits, thread: int, start_ns: int, end_ns: int) -> Wait | None:
    """Who waited for that thread for most of a long wait, in this time."""
    for wait in waits.all:
        if wait.ender != ("thread", thread) or wait.ns < _LONG_NS or wait.slice in waits.told:
            continue
        met = min(wait.end_ns, end_ns) - max(wait.start_ns, start_ns)
        if wait.name.startswith(_RESULTS) and covers(met, wait.ns):
            return wait
    return None


def _last(
    facts: Facts, waits: LongWaits, late: list[_Late], usual_ns: int, others: int
) -> Finding:
    table = facts.model.states
    worst = max(late, key=lambda one: facts.row_ns(one.row))
    waits.told.update(one.wait.slice for one in late)
    lost = facts.total_ns(one.row for one in late)
    thread, wait = table.who[worst.row], worst.wait
    name, site = facts.call(table.row[worst.row])
    times = f", {plural(len(late), 'time')}" if len(late) > 1 else ""
    text = (
        f"Slow answer: {code(facts.model.thread_names[thread])}{place_in(site)} waited "
        f"{duration(facts.row_ns(worst.row))} in `{name}` "
        f"({at(facts, table.start_ns[worst.row])}){times}, where {others} others took "
        f"{duration(usual_ns)}, typically; meanwhile {code(name_of(facts.model, wait.who))}"
        f"{place_in(wait.site)} waited for it in `{wait.name}`."
    )
    evidence = facts.evidence_of(worst.row)
    return Finding("slow answer", lost, text, evidence, _STEP, behind=site)
