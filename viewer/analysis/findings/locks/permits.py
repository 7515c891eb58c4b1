"""Permits between processes (`multiprocessing.Semaphore`, and locks that are acquired by hand)
for which others wait, while those who are past that line do something slow."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tracer.units import plural
from viewer.analysis.findings.basis.databases import calls_of
from viewer.analysis.findings.basis.doing import mostly
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in
from viewer.analysis.findings.basis.words import in_total
from viewer.analysis.findings.locks.filelocks import is_of_library, waiting_for
from viewer.analysis.ledger.resource import covers
from viewer.analysis.resources.resource import Hold, loads
from viewer.analysis.resources.waits import longest_rows
from viewer.analysis.states import having, stack_of
from viewer.trace.columns import IO, LOCK_WAIT, SLEEP
from viewer.trace.sites import place_of

_MS = 1_000_000
# As with other pools, half a second must be lost. Who has a permit is not recorded: whoever is
# blocked in the function that acquires it, and does not wait there itself. While others wait,
# there must be such a one for four fifths of the time; else it may be a signal.
_LONG_NS = 10 * _MS
_LOST_NS = 500 * _MS
_MOST = 2_000  # calls that are looked at, the longest ones
_ACQUIRE, _ENTER = "SemLock.acquire", "SemLock.__enter__"


def permits_between_processes(facts: Facts) -> Iterator[Finding]:
    """Processes wait for a permit that others have while they are slow."""
    table, told = facts.model.states, LongWaits.of(facts).told
    named = having(
        facts.model, table.call_name, lambda name: name.endswith((_ACQUIRE, _ENTER))
    )
    if 1 not in named:
        return
    by_site = defaultdict[str, list[int]](list)
    for row in calls_of(facts, (IO,), memoryview(named), _LONG_NS):
        if table.slice[row] not in told and not is_of_library(facts, row):
            by_site[facts.call(table.row[row])[1]].append(row)
    for site, waits in by_site.items():
        lost = facts.total_ns(waits)
        if lost < _LOST_NS:
            continue
        inside = _inside(facts, site, {*waits})
        slots = _slots(facts, waits, inside)
        is_lock = facts.call(table.row[waits[0]])[0].endswith(_ENTER) and slots == 1
        if slots and not is_lock:
            told.update(table.slice[row] for row in waits)
            yield _finding(facts, site, waits, inside, slots, lost)


def _inside(facts: Facts, site: str, waits: set[int]) -> list[Hold]:
    """The times in which somebody was blocked in the function of a line."""
    of = place_of(site)
    mark = f"{of.path}:"
    return [
        _hold(facts, row)
        for row in longest_rows(facts, (IO, SLEEP, LOCK_WAIT), _LONG_NS, _MOST)
        if row not in waits
        and any(
            frame.startswith(mark) and place_of(frame).function == of.function
            for frame in stack_of(facts.model, row).split("\n")
        )
    ]


def _hold(facts: Facts, row: int) -> Hold:
    table = facts.model.states
    return Hold(("thread", table.who[row]), table.start_ns[row], table.end_ns[row])


def _slots(facts: Facts, waits: list[int], inside: list[Hold]) -> int:
    """How many were inside at a time, mostly, while others waited; 0 where too often nobody
    was."""
    ns = Counter[int]()
    for load in loads(inside, (_hold(facts, row) for row in waits)):
        if load.waiting:
            ns[load.had] += load.ns
    if not covers(ns.total() - ns[0], ns.total()):
        return 0
    return max(ns, key=lambda count: (ns[count] if count else -1, count))


def _finding(
    facts: Facts, site: str, waits: list[int], inside: list[Hold], slots: int, lost: int
) -> Finding:
    table = facts.model.states
    since, until = min(table.start_ns[r] for r in waits), max(table.end_ns[r] for r in waits)
    did = mostly(
        facts,
        [
            (one.who, max(one.start_ns, since), min(one.end_ns, until))
            for one in inside
            if one.start_ns < until and one.end_ns > since
        ],
    )
    worst = facts.longest(waits)
    start, ns = table.start_ns[worst], facts.row_ns(worst)
    of = {facts.model.thread_process[table.who[row]] for row in waits}
    verb = "waits" if len({table.who[row] for row in waits}) == 1 else "wait"
    what = f"one of {slots} permits" if slots > 1 else "a lock"
    step = "Give it back before doing something else"
    step += ", or raise their number" if slots > 1 else ""
    text = (
        f"{'Pool exhausted' if slots > 1 else 'Lock convoy'}: {waiting_for(facts, waits)} "
        f"{verb} in `{facts.call(table.row[worst])[0]}`{place_in(site)} for {what} between "
        f"processes: {plural(len(waits), 'wait')}, {in_total(facts, lost, ns, start)}. Those "
        f"who were past that line spent {did.text}. {step}."
    )
    kind = "pool exhausted" if slots > 1 else "lock convoy"
    evidence = facts.evidence(("thread", table.who[worst]), start, ns, site)
    return Finding(kind, lost, text, evidence, behind=did.behind, processes=len(of))
