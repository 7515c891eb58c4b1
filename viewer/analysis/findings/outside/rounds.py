"""Answers from outside that come in rounds: all asked at once, and somebody serves a few at a
time: a limit of streams, connections or workers that this program does not show."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.databases import is_locked
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.queries import server_calls
from viewer.analysis.findings.basis.waits import place_in, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.findings.outside.stalls import responses
from viewer.analysis.ledger.circles import Who
from viewer.trace.sites import is_library

# Six or more that asked within half a round, three rounds or more of equal size, all about as
# long: that is no chance. The first one may take longer, while a connection is made.
_MANY = 6
_ROUNDS = 3
_LEAST_NS = 20 * MS
_EVEN = 3, 10  # of a round, by which others may differ
_MOST = 5_000
_OF_DATABASES = "query ("


class _Wait(NamedTuple):
    start_ns: int
    end_ns: int
    who: Who


class _Rounds(NamedTuple):
    waits: list[_Wait]
    size: int
    rounds: int
    step_ns: int

    @property
    def lost_ns(self) -> int:
        shortest = min(wait.end_ns - wait.start_ns for wait in self.waits)
        return sum(wait.end_ns - wait.start_ns - shortest for wait in self.waits)


def in_rounds(facts: Facts) -> Iterator[Finding]:
    """Threads or tasks ask at the same time, and the answers come a few at a time."""
    by_place = defaultdict[tuple[str, str], list[_Wait]](list)
    for calls in (server_calls(facts), responses(facts)):
        for own in calls.values():
            for call in own:
                if call.ns >= _LEAST_NS:
                    wait = _Wait(call.start_ns, call.end_ns, call.who)
                    by_place[call.name, call.site].append(wait)
    for (name, site), waits in by_place.items():
        if len(waits) > _MOST or is_library(site):
            continue
        found = [rounds for batch in _batches(waits) if (rounds := _rounds(batch))]
        lost = sum(rounds.lost_ns for rounds in found)
        if lost < LOST_NS or (name.startswith(_OF_DATABASES) and is_locked(facts)):
            continue
        yield _finding(facts, name, site, found, lost)


def _batches(waits: list[_Wait]) -> Iterator[list[_Wait]]:
    """Those that begin while all that began just before still wait."""
    batch = list[_Wait]()
    for wait in sorted(waits):
        if batch and wait.start_ns >= min(one.end_ns for one in batch):
            yield batch
            batch = []
        batch.append(wait)
    yield batch


def _rounds(batch: list[_Wait]) -> _Rounds | None:
    """The rounds in which a batch was answered; None where it was answered otherwise."""
    if len(batch) < _MANY or len({wait.who for wait in batch}) < len(batch):
        return None
    ends = sorted(wait.end_ns for wait in batch)
    gaps = [b - a for a, b in pairwise(ends)]
    widest = max(gaps)
    sizes, firsts = [1], [ends[0]]
    for end, gap in zip(ends[1:], gaps, strict=True):
        if gap * 2 >= widest:
            sizes.append(0)
            firsts.append(end)
        sizes[-1] += 1
    if len(sizes) < _ROUNDS:
        return None
    steps = sorted(b - a for a, b in pairwise(firsts))
    step, begins = steps[len(steps) // 2], batch[-1].start_ns - batch[0].start_ns
    is_even = all(abs(one - step) * _EVEN[1] <= step * _EVEN[0] for one in steps)
    is_full = {*sizes[:-1]} == {sizes[0]} and sizes[-1] <= sizes[0]
    first = ends[0] - batch[0].start_ns
    is_close = all(b - a <= step // 4 for a, b in pairwise(ends) if (b - a) * 2 < widest)
    if not (is_even and is_full and is_close) or begins * 2 > step:
        return None
    if step < _LEAST_NS or not step // 2 <= first <= step * 2:
        return None
    return _Rounds(batch, sizes[0], len(sizes), step)


def _finding(facts: Facts, name: str, site: str, found: list[_Rounds], lost: int) -> Finding:
    first = max(found, key=lambda rounds: rounds.lost_ns)
    whos = [wait.who for rounds in found for wait in rounds.waits]
    worst = max(first.waits, key=lambda wait: wait.end_ns - wait.start_ns)
    ns, began = worst.end_ns - worst.start_ns, worst.start_ns
    text = (
        f"Slow answer: {users(facts.model, whos)}{place_in(site)} asked at the same time "
        f"(`{name}`, {at(facts, began)}), and the answers came {first.size} at a time, in "
        f"{plural(first.rounds, 'round')} {duration(first.step_ns)} apart, the last after "
        f"{duration(ns)}: something that the trace does not show serves {first.size} at a "
        f"time. The others lost {duration(lost)} in total"
    )
    step = (
        "Look for a limit on the way: streams of one connection, connections or workers of "
        "the other side, a proxy or a pool in between."
    )
    evidence = facts.evidence(worst.who, began, ns, site)
    return Finding("slow answer", lost, f"{text}.", evidence, step)
