"""Pauses between attempts, in a library or in a function that tries again: what is called
fails, and its caller waits inside code that does not say so."""

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from tracer import schema as s
from tracer.units import MS, duration, plural, share
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.failures import pauses
from viewer.analysis.resources.reading import awaits_of
from viewer.analysis.resources.waits import longest_rows
from viewer.analysis.states import mentioned, stack_of
from viewer.trace.columns import SLEEP
from viewer.trace.sites import is_library, place_of
from viewer.words import code

# One client that tries again until it gets through is right to do so, if that takes less than
# five seconds. Of several, pauses that are a third of what they did for a second are a fault.
_LOST_NS = 1_000 * MS
_ALONE_NS = 5_000 * MS
_SOME, _EACH = 3, 2
_PART = 3
_LEAST_NS = 5 * MS
_MOST = 10_000
# The word stands in the name of the function, or in that of a library's file.
_TRIES = re.compile(
    r"-packages/(?:tenacity|backoff|stamina)/"
    r"|-packages/\S*(?:retry|retries|backoff)\S*\.py:"
    r"|(?: |\.)\w*(?:[Rr]etry|[Rr]etries|[Bb]ack_?off)\w*(?:\.\S+)?$"
)
_WORDS = ("retr", "Retr", "ackoff", "ack_off", "tenacity", "stamina")


class _Pause(NamedTuple):
    who: Who
    start_ns: int
    ns: int


def long_retries(facts: Facts) -> Iterator[Finding]:
    """Callers spend much of their time asleep between attempts."""
    if not mentioned(facts.model, *_WORDS):
        return
    by_place = defaultdict[tuple[str, str], list[_Pause]](list)
    for frame, site, pause in (*_of_threads(facts), *_of_tasks(facts)):
        by_place[frame, site].append(pause)
    for (frame, site), found in by_place.items():
        lost = sum(pause.ns for pause in found)
        callers = len({pause.who for pause in found})
        least = _ALONE_NS if callers == 1 else _LOST_NS
        if lost < least or len(found) < max(_SOME, _EACH * callers):
            continue
        if lost * _PART >= (spent := _spent_ns(facts, found)):
            yield _finding(facts, frame, site, found, lost, spent)


def _of_threads(facts: Facts) -> Iterator[tuple[str, str, _Pause]]:
    table, told = facts.model.states, LongWaits.of(facts).told
    for row in longest_rows(facts, (SLEEP,), _LEAST_NS, _MOST):
        if table.slice[row] in told:
            continue
        if frame := _trying(stack_of(facts.model, row)):
            start, end = table.start_ns[row], table.end_ns[row]
            site = facts.call(table.row[row])[1]
            yield frame, site, _Pause(("thread", table.who[row]), start, end - start)


def _of_tasks(facts: Facts) -> Iterator[tuple[str, str, _Pause]]:
    trace = facts.model.trace
    for i in awaits_of(facts, s.AWAIT_PREFIX):
        start, end = trace.slices.start_ns[i], trace.slices.end_ns[i]
        if end - start < _LEAST_NS:
            continue
        stack = facts.stack(i)
        if pauses(stack) and (frame := _trying(stack)):
            who: Who = ("task", facts.model.owners.owner[i])
            yield frame, facts.awaited(i)[1], _Pause(who, start, end - start)


@lru_cache(maxsize=4096)
def _trying(stack: str) -> str:
    """The frame that tries again, in a library or the innermost of the program; "" none. What
    is further out only calls what pauses for another reason."""
    for frame in stack.split("\n"):
        if _TRIES.search(frame):
            return frame
        if not is_library(frame):
            break
    return ""


def _spent_ns(facts: Facts, found: list[_Pause]) -> int:
    """The time from the begin of those who paused to the end of their last pause."""
    last_ns = dict[Who, int]()
    for pause in found:
        last_ns[pause.who] = max(pause.start_ns + pause.ns, last_ns.get(pause.who, 0))
    waits = LongWaits.of(facts)
    return sum(end - waits.begins_ns(who) for who, end in last_ns.items())


def _finding(
    facts: Facts, frame: str, site: str, found: list[_Pause], lost: int, spent: int
) -> Finding:
    worst = max(found, key=lambda pause: pause.ns)
    by = place_of(frame).function
    where, why = "", f"By its name, {code(by)} tries again, and its caller waits."
    if is_library(frame):
        where = f" in {code(by, frame)}"
        why = "What is called fails again and again, and the caller waits."
    text = (
        f"Retries: {users(facts.model, (pause.who for pause in found))}{place_in(site)} "
        f"paused between attempts{where}: {plural(len(found), 'pause')}, {duration(lost)} in "
        f"total, {share(lost, spent)} of their time until then, the longest "
        f"{duration(worst.ns)} ({at(facts, worst.start_ns)}). {why}"
    )
    step = (
        "Look at the errors of these calls; limit the attempts and their total time, and give "
        "up at once while it is known to be down."
    )
    evidence = facts.evidence(worst.who, worst.start_ns, worst.ns, site)
    return Finding("retries", lost, text, evidence, step)
