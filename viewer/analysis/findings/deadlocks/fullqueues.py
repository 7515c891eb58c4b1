"""Processes that all wait for room in their queues, so that nobody takes anything out."""

from collections import defaultdict
from collections.abc import Iterator

from tracer.units import duration
from viewer.analysis.findings.basis.facts import Evidence, Facts, Finding
from viewer.analysis.findings.basis.waits import place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.processes.family import Family
from viewer.analysis.states import stack_of
from viewer.trace.columns import IO
from viewer.trace.sites import place_of
from viewer.words import code

_MS = 1_000_000
# A consumer may be slow; that all processes stand still for half a second is no slowness.
_LONG_NS = 500 * _MS
_ACQUIRES = "SemLock.acquire"
_PUT = ("multiprocessing/queues.py", "Queue.put")


def full_queues(facts: Facts) -> Iterator[Finding]:
    """A process waits for room in a queue while all others wait in the same way."""
    model, table = facts.model, facts.model.states
    if len(model.trace.processes) < 2:
        return
    waits: dict[int, list[int]] = defaultdict(list)  # by process, in order of time
    for row in facts.rows_of((IO,), _LONG_NS):
        if facts.call(table.row[row])[0].endswith(_ACQUIRES):
            waits[model.thread_process[table.who[row]]].append(row)
    told = set[str]()
    for process, rows in waits.items():
        for row in rows:
            site = facts.call(table.row[row])[1]
            if not _puts(facts, row) or site in told:
                continue
            others = _all_others(facts, waits, process, row)
            if others:
                told.add(site)
                yield _finding(facts, row, others)


def _puts(facts: Facts, row: int) -> bool:
    stack = stack_of(facts.model, row)
    frame = place_of(stack.split("\n", 1)[0])
    return frame.path.endswith(_PUT[0]) and frame.function == _PUT[1]


def _all_others(
    facts: Facts, waits: dict[int, list[int]], process: int, row: int
) -> list[int]:
    """The waits of all other processes that live meanwhile; none if one of them works."""
    model, table = facts.model, facts.model.states
    since, until = table.start_ns[row], table.end_ns[row]
    living = {
        model.thread_process[thread]
        for thread in range(len(model.threads))
        if table.first_ns[thread] <= since and table.last_ns[thread] > since + _LONG_NS
    }
    found = list[int]()
    for other in living - {process}:
        meanwhile = [
            one
            for one in waits.get(other, [])
            if min(until, table.end_ns[one]) - max(since, table.start_ns[one]) >= _LONG_NS
        ]
        if not meanwhile:
            return []
        found += meanwhile
    together = min([table.end_ns[one] for one in (row, *found)]) - max(
        [table.start_ns[one] for one in (row, *found)]
    )
    return found if together >= _LONG_NS else []


def _finding(facts: Facts, row: int, others: list[int]) -> Finding:
    model, table = facts.model, facts.model.states
    start, ns = table.start_ns[row], facts.row_ns(row)
    thread, site = table.who[row], facts.call(table.row[row])[1]
    where = sorted({place_in(facts.call(table.row[one])[1]) for one in others} - {""})
    family = Family.of(model)
    members = {family.name(model.thread_process[table.who[one]]) for one in others}
    named = " and ".join(map(code, sorted(members)[:3]))
    who = named if len(members) <= 3 else f"{named} and {len(members) - 3} more processes"
    text = (
        f"Deadlock {at(facts, start)}, for {duration(ns)}: "
        f"{code(model.thread_names[thread])}{place_in(site)} waits for room in a queue "
        f"between processes, while {who} wait{'s' if len(members) == 1 else ''} for room in "
        f"theirs{where[0] if where else ''}: nobody takes anything out. Take results out "
        f"while you put work in (a thread can do one of both), or give one of the queues no "
        f"bound."
    )
    evidence = Evidence(
        start, ns, model.thread_names[thread], tid=model.threads[thread].tid, site=site,
        pid=model.pid(model.thread_process[thread]),
    )  # fmt: skip
    lost = ns + facts.total_ns(others)
    return Finding("deadlock", lost, text, evidence)
