"""Calls that wait for the answer of a thread of the same program, which has failed."""

from collections.abc import Iterator
from typing import NamedTuple

from tracer.units import MS, duration
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import gave_up, place_in
from viewer.analysis.findings.basis.words import at
from viewer.trace.columns import IO
from viewer.trace.sites import is_library
from viewer.words import code

# Half a second was lost. The trace does not say who is at the other end, so the times must:
# the thread that failed got on as the other began to wait, and failed at once; the other had
# waited there before, never for a tenth of this, or now waits until its time is over.
_AT_ONCE_NS = 5 * MS
_TIMES = 10
_MOST = 20  # failures that are looked at
_WAITS = ("poll", "select", "recv", "read")


class _Failed(NamedTuple):
    """A thread that got on at `since_ns` (the end of its last call) and then failed."""

    thread: int
    since_ns: int


def unanswered_call(facts: Facts) -> Iterator[Finding]:
    """A thread waits in a call since another one failed that it had just woken."""
    table, failures = facts.model.states, facts.ledger.failures
    if not 0 < len(failures) <= _MOST:
        return
    failed, told = list(_failed(facts)), set[int]()
    for row in facts.rows_of((IO,), LOST_NS) if failed else ():
        who, start = table.who[row], table.start_ns[row]
        name, site = facts.call(table.row[row])
        if who in failures or who in told or not _waits(name, site):
            continue
        for one in failed:
            process = facts.model.thread_process
            is_near = abs(start - one.since_ns) <= _AT_ONCE_NS
            if not is_near or process[who] != process[one.thread]:
                continue
            if oddity := _oddity(facts, row):
                told.add(who)
                yield _finding(facts, row, one.thread, oddity)
                break


def _waits(name: str, site: str) -> bool:
    return name.rpartition(".")[2].startswith(_WAITS) and bool(site) and not is_library(site)


def _failed(facts: Facts) -> Iterator[_Failed]:
    table, failures = facts.model.states, facts.ledger.failures
    last = dict.fromkeys(failures, 0)
    calls, take = _calls(facts, *failures), facts.model.trace.engine.take
    ends = take(table.end_ns, calls, 0)
    for who, end in zip(take(table.who, calls, -1), ends, strict=True):
        if last[who] < end <= failures[who].at_ns:
            last[who] = end
    for thread, since_ns in last.items():
        if failures[thread].at_ns - since_ns <= _AT_ONCE_NS:
            yield _Failed(thread, since_ns)


def _calls(facts: Facts, *threads: int) -> memoryview:
    """The rows of these threads' blocking calls."""
    of = memoryview(bytes(n in threads for n in range(len(facts.model.threads))))
    return facts.model.trace.engine.pick(facts.rows_of((IO,), 0), facts.model.states.who, of)


def _oddity(facts: Facts, row: int) -> str:
    """What shows that an answer should have come; "" nothing does."""
    if _answered(facts, row):
        return "where it had always got on soon"
    return "until its time ran out" if gave_up(facts, row) else ""


def _answered(facts: Facts, row: int) -> bool:
    """Whether the thread had waited there before, and soon got on each time."""
    table = facts.model.states
    before = [
        facts.row_ns(other)
        for other in _calls(facts, table.who[row])
        if table.row[other] == table.row[row] and table.end_ns[other] <= table.start_ns[row]
    ]
    whole = facts.row_ns(row)
    return bool(before) and max(before) * _TIMES < whole


def _finding(facts: Facts, row: int, failed: int, oddity: str) -> Finding:
    model, table, failure = facts.model, facts.model.states, facts.ledger.failures[failed]
    name, site = facts.call(table.row[row])
    who, start = table.who[row], table.start_ns[row]
    ns = table.end_ns[row] - start
    text = (
        f"Waited in vain: {code(model.thread_names[who])}{place_in(site)} waited "
        f"{duration(ns)} in `{name}` ({at(facts, start)}), {oddity}: "
        f"{code(model.thread_names[failed])}, which went on as that wait began, failed at "
        f"once ({failure.exception}){place_in(failure.site)}. "
        f"Answer also where a request fails."
    )
    return Finding("wait in vain", ns, text, facts.evidence(("thread", who), start, ns, site))
