"""Queues whose only consumer is slower than those who put into them together."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer.units import plural
from viewer.analysis.findings.basis.doing import mostly
from viewer.analysis.findings.basis.facts import Evidence, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in, users
from viewer.analysis.findings.basis.words import in_total, processes
from viewer.analysis.ledger.circles import Who
from viewer.analysis.processes.family import Family
from viewer.analysis.resources.processqueues import waits_for_room, who_goes_on_before
from viewer.analysis.resources.waits import PUTS, Wait
from viewer.words import code

_MS = 1_000_000
# A bounded queue is there to slow its producers down. So this is advice, and only where at
# least four wait for each one that makes room, half a second in all: requests, not a pipeline.
# Of processes, three or more must wait for half of the time.
_LOST_NS = 500 * _MS
_EACH, _PROCESSES = 4, 3
_PART = 2
# Each sender has its own clone of what it sends into: who receives tells what is one channel.
_CLONED = ("MemoryObjectStream.send", "MemoryChannel.send")


class _Full(NamedTuple):
    """Who waited for room, in what and how often, up to the time lost; who empties the queue,
    in words; and since when to when."""

    asking: str
    waits: str
    empties: str
    takers: set[Who]
    since_ns: int
    until_ns: int
    processes: int = 1


def slow_consumer(facts: Facts) -> Iterator[Finding]:
    """Many wait for room in a queue that one thread or task empties."""
    waits = LongWaits.of(facts)
    by_queue: dict[tuple[int, Who | None], list[Wait]] = defaultdict(list)
    for wait in waits.all:
        if wait.name in PUTS and wait.lock >= 0 and wait.slice not in waits.told:
            is_cloned = wait.name in _CLONED
            by_queue[(-1, wait.ender) if is_cloned else (wait.lock, None)].append(wait)
    for found in by_queue.values():
        lost = sum(wait.ns for wait in found)
        enders = Counter(wait.ender for wait in found if wait.ender is not None)
        waiters = {wait.who for wait in found}
        if lost < _LOST_NS or not enders or any(wait.failed for wait in found):
            continue
        if len(waiters) < len(enders) * _EACH or waiters & enders.keys():
            continue
        worst = max(found, key=lambda wait: wait.ns)
        full = _Full(
            f"{users(facts.model, waiters)}{place_in(worst.site)} waited for room in a queue",
            f"{plural(len(found), 'wait')} in `{worst.name}`",
            f"Only {users(facts.model, enders)} empties it",
            {*enders},
            found[0].start_ns,
            max(wait.end_ns for wait in found),
        )
        yield _finding(facts, full, lost, waits.evidence(worst))


def slow_reader(facts: Facts) -> Iterator[Finding]:
    """Several processes wait for room in a queue that one thread of another one empties."""
    model, table = facts.model, facts.model.states
    for site, rows in waits_for_room(facts).items():
        of = {model.thread_process[table.who[row]] for row in rows}
        lost = facts.total_ns(rows)
        since = min(table.start_ns[row] for row in rows)
        until = max(table.end_ns[row] for row in rows)
        is_much = lost >= _LOST_NS and lost * _PART >= (until - since) * len(of)
        if len(of) < _PROCESSES or not is_much:
            continue
        reader = who_goes_on_before(facts, rows, of)
        if reader < 0:
            continue
        LongWaits.of(facts).told.update(table.slice[row] for row in rows)
        worst = facts.longest(rows)
        start, ns = table.start_ns[worst], facts.row_ns(worst)
        taker: Who = ("thread", reader)
        whose = code(Family.of(model).name(model.thread_process[reader]))
        full = _Full(
            f"{processes(facts, of)} waited for room in a queue between processes"
            f"{place_in(site)}",
            f"{plural(len(rows), 'wait')} in `Queue.put`",
            f"{users(model, [taker])} of {whose} goes on just before each ends, so most "
            f"likely it empties the queue",
            {taker},
            since,
            until,
            len(of),
        )
        evidence = facts.evidence(("thread", table.who[worst]), start, ns, site)
        yield _finding(facts, full, lost, evidence)


def _finding(facts: Facts, full: _Full, lost: int, evidence: Evidence) -> Finding:
    did = mostly(facts, [(who, full.since_ns, full.until_ns) for who in full.takers])
    total = in_total(facts, lost, evidence.duration_ns, evidence.start_ns)
    text = (
        f"Slow consumer: {full.asking}: {full.waits}, {total}. {full.empties}"
        f"{f', {did.text}' if did.text else ''}. If they should not wait, take several items "
        f"at once, use more consumers, or drop what has no room."
    )
    return Finding(
        "slow consumer", lost, text, evidence, behind=did.behind, processes=full.processes
    )
