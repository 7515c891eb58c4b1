"""Queues whose only consumer is slower than those who put into them together."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tracer.units import plural
from viewer.analysis.findings.basis.doing import doing
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in, users
from viewer.analysis.findings.basis.words import in_total
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.waits import PUTS, Wait

_MS = 1_000_000
# A bounded queue is there to slow its producers down. So this is advice, and only where at
# least four wait for each one that makes room, half a second in all: requests, not a pipeline.
_LOST_NS = 500 * _MS
_EACH = 4
# Each sender has its own clone of what it sends into: who receives tells what is one channel.
_CLONED = ("MemoryObjectStream.send", "MemoryChannel.send")


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
        yield _finding(facts, waits, found, set(enders), lost)


def _finding(
    facts: Facts, waits: LongWaits, found: list[Wait], enders: set[tuple[str, int]], lost: int
) -> Finding:
    worst = max(found, key=lambda wait: wait.ns)
    since, until = found[0].start_ns, max(wait.end_ns for wait in found)
    did = doing(facts, [(who, since, until) for who in enders])
    consumer = users(facts.model, enders)
    text = (
        f"Slow consumer: "
        f"{users(facts.model, (wait.who for wait in found))}{place_in(worst.site)} waited for "
        f"room in a queue: {plural(len(found), 'wait')} in `{worst.name}`, "
        f"{in_total(facts, lost, worst.ns, worst.start_ns)}. Only {consumer} empties "
        f"it{f', {did}' if did else ''}. If they should not wait, take several items at once, "
        f"use more consumers, or drop what has no room."
    )
    return Finding("slow consumer", lost, text, waits.evidence(worst))
