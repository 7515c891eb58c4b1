"""One answer of somebody outside that takes far longer than all others at its line, while
somebody waits for the thread that reads it."""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer.units import duration, plural
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.resource import covers
from viewer.analysis.locks import ENDS
from viewer.analysis.resources.peers import is_own
from viewer.analysis.resources.waits import Wait, longest_rows
from viewer.analysis.states import stack_of
from viewer.trace.columns import IO
from viewer.trace.sites import is_library
from viewer.words import code

_MS = 1_000_000
# Half a second, and twenty times what such calls take as a rule, of ten or more. Somebody else
# waited for that thread for four fifths of a wait: else it may read what comes seldom.
_LONG_NS = 500 * _MS
_TIMES = 20
_USUAL = 10
_MOST = 200  # calls that are looked at, the longest ones
_READS = ("socket.recv", "ssl.")
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
        if facts.call(table.row[row])[0].startswith(_READS)
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
            yield _finding(facts, waits, late, usual, every[call] - len(late))


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


def _finding(
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
        f"{duration(usual_ns)} as a rule; meanwhile {code(name_of(facts.model, wait.who))}"
        f"{place_in(wait.site)} waited for it in `{wait.name}`."
    )
    evidence = facts.evidence(
        ("thread", thread), table.start_ns[worst.row], facts.row_ns(worst.row), site
    )
    return Finding("slow answer", lost, text, evidence, _STEP, behind=site)
