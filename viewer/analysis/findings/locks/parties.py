"""Barriers at which all wait for the same party, round after round."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from tracer.units import MS, duration, plural, share
from viewer.analysis.findings.basis.doing import mostly
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.waits import Wait
from viewer.words import code

# Half a second was lost in three rounds or more, half of the time of those who waited, and one
# party ended four fifths of that: with equal parts of the work, each would be last in turn.
_ROUNDS = 3
_MOST = 8, 10
_TOGETHER_NS = 5 * MS
_BARRIER = "Barrier.wait"


def slow_party(facts: Facts) -> Iterator[Finding]:
    """One party of a barrier comes last again and again, and the others wait for it."""
    waits = LongWaits.of(facts)
    by_barrier: dict[tuple[int, str], list[Wait]] = defaultdict(list)
    for wait in waits.all:
        if wait.name == _BARRIER and wait.slice not in waits.told:
            by_barrier[wait.lock, wait.site].append(wait)
    for every in by_barrier.values():
        if any(wait.failed for wait in every):
            continue
        lost, by_last = sum(wait.ns for wait in every), Counter[Who]()
        for wait in every:
            if wait.ender is not None:
                by_last[wait.ender] += wait.ns
        if lost < LOST_NS or not by_last:
            continue
        ((last, ns),) = by_last.most_common(1)
        whole = max(w.end_ns for w in every) - min(w.start_ns for w in every)
        behind = [wait for wait in every if wait.ender == last]
        is_most = ns * _MOST[1] >= lost * _MOST[0]
        is_half = ns * 2 >= whole * len({wait.who for wait in behind})
        if is_most and is_half and _rounds(behind) >= _ROUNDS:
            yield _finding(facts, waits, last, behind, lost)


def _rounds(behind: list[Wait]) -> int:
    """How often the barrier was passed: all who wait go on at once."""
    ends = sorted(wait.end_ns for wait in behind)
    return 1 + sum(b - a > _TOGETHER_NS for a, b in pairwise(ends))


def _finding(
    facts: Facts, waits: LongWaits, last: Who, behind: list[Wait], lost: int
) -> Finding:
    worst, ns = max(behind, key=lambda wait: wait.ns), sum(wait.ns for wait in behind)
    waits.told.update(wait.slice for wait in behind)
    now = mostly(facts, [(last, wait.start_ns, wait.end_ns) for wait in behind])
    did = f", {now.text}" if now.text else ""
    text = (
        f"Uneven workers: {users(facts.model, (wait.who for wait in behind))}"
        f"{place_in(worst.site)} waited for {code(name_of(facts.model, last))} in "
        f"`{worst.name}` for {plural(_rounds(behind), 'round')}: {duration(ns)} in "
        f"{plural(len(behind), 'wait')}, the longest {duration(worst.ns)} "
        f"({at(facts, worst.start_ns)}), {share(ns, lost)} of all waiting there. It comes "
        f"last{did}. Give the parties equal parts, or let the fast ones go on "
        f"with the next part meanwhile."
    )
    return Finding("uneven workers", ns, text, waits.evidence(worst), behind=now.behind)
