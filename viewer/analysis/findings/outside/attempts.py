"""Calls that fail and are made again, at once or after a pause; and those that a full pool
turns away."""

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import lru_cache, partial
from typing import NamedTuple

from tracer import schema as s
from tracer.units import MS, duration, plural, share
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.failures import (
    Call,
    Calls,
    Crowd,
    Failure,
    Failures,
    is_within,
    pauses,
)
from viewer.analysis.resources.reading import awaits_of
from viewer.analysis.resources.waits import longest_rows
from viewer.analysis.states import mentioned, stack_of
from viewer.trace.columns import SLEEP
from viewer.trace.sites import is_library, place_of
from viewer.words import code

# Fewer are no more than bad luck.
_MANY = 20
# Such classes say that there is nothing yet, or that a time is over, which others tell of.
_NO_FAILURE = re.compile(r"Empty|Full|Block|[Tt]ime_?[Oo]ut|Cancel|End|Stop|Closed|NotFound")
# What servers answer that have too much to do.
_TOO_MANY = ("HTTP 429", "HTTP 503")
# Three in four of them come while as many as ever have what it gives. One place more, or
# one less, would be chance.
_TURNED_AWAY = 3, 4
# Half of all attempts fail, which take half a second and a third of the time of those who try.
_HALF, _PART = 2, 3
_RARE = 10  # another call before a failure is one that was lost in between


class _Line(NamedTuple):
    """Where calls fail, and how: by who it was the moments, and what else each did."""

    site: str
    how: str
    found: list[Failure]
    failed: dict[Who, list[int]]
    calls: dict[Who, Calls]

    def has(self, call: Call) -> bool:
        return call.site == self.site and not call.is_pause

    @property
    def times(self) -> int:
        """With those that were not written, which are rather such as well."""
        return len(self.found) + sum(one.unseen for one in self.found)

    @property
    def raised(self) -> str:
        by = self.found[0].raised
        return f", raised{place_in(by)}" if by not in ("", self.site) else ""

    @property
    def failing(self) -> str:
        if self.is_answer:
            return f"got `{self.how}` {plural(self.times, 'time')}"
        return f"failed {plural(self.times, 'time')} with `{self.how}`"

    @property
    def is_answer(self) -> bool:
        return self.found[0].is_answer


class _Attempts(NamedTuple):
    """All that ended at a line; of those that failed, how long each took, and how many a pause
    followed."""

    ended: int
    failed_ns: list[int]
    pauses: int


def failing_calls(facts: Facts) -> Iterator[Finding]:
    """A line whose calls fail again and again, with what that costs."""
    failures = Failures.of(facts)
    for (site, how), which in failures.by_line.items():
        if len(which) < _MANY or _NO_FAILURE.search(how):
            continue
        if not failures.has_calls(site, which):
            continue  # nothing that would have taken time
        found, failed = failures.told(which), defaultdict[Who, list[int]](list)
        for one in found:
            failed[one.who].append(one.at_ns)
        if found[0].is_answer and len(found) < 2 * len(failed):
            continue  # hardly anybody tried again
        line = _Line(site, how, found, failed, {who: failures.calls_of(who) for who in failed})
        told = _turned_away(facts, line, failures.crowd_at(site)) or _tried_again(facts, line)
        if told is not None:
            yield told


def _turned_away(facts: Facts, line: _Line, crowd: Crowd) -> Finding | None:
    """There is a limit: calls fail while so many of the others are in theirs."""
    if line.is_answer:  # the limit is somebody else's
        return None
    many, first, last = crowd.most, line.found[0], line.found[-1]
    if len(crowd.whos.union(line.failed)) <= many:
        return None
    full = crowd.each([one.at_ns for one in line.found]).count(many)
    if full * _TURNED_AWAY[1] < len(line.found) * _TURNED_AWAY[0]:
        return None
    lost = crowd.full_ns(many, first.at_ns, last.at_ns)
    if not many or lost < LOST_NS:
        return None
    instead = sum(_instead_ns(line, who) for who in line.failed)
    by = place_of(first.raised).function
    what = "connection" if "onnection" in f"{line.how} {by}" else "slot"
    text = (
        f"Pool exhausted: {users(facts.model, line.failed)}{place_in(line.site)} "
        f"{'were' if len(line.failed) > 1 else 'was'} turned away "
        f"{plural(line.times, 'time')} with `{line.how}`{line.raised}, while others used "
        f"{f'all {many} {what}s' if many > 1 else f'the only {what}'}: none was free for "
        f"{duration(lost)} ({at(facts, first.at_ns)} and later)"
    )
    if instead >= LOST_NS:
        text += f", and what they did instead took {duration(instead)} in total"
    step = (
        f"Let callers wait for a {what} (a pool that blocks, with a time-out), or have as "
        f"many as there are callers at a time."
    )
    return _finding(facts, "pool exhausted", max(lost, instead), f"{text}.", line, step)


def _instead_ns(line: _Line, who: Who) -> int:
    """How long one waits further down in the function after having failed."""
    failed = line.failed[who]
    return sum(
        call.end_ns - call.start_ns
        for call in line.calls[who].every
        if call.start_ns > failed[0] and is_within(call.stack, line.site, below=True)
    )


def _tried_again(facts: Facts, line: _Line) -> Finding | None:
    """Most attempts fail, and each has cost what came before in the function."""
    last = _last_calls(line)
    every = [_attempts(line, who, last) for who in line.calls]
    failed = [ns for one in every for ns in one.failed_ns]
    count, lost = sum(one.ended for one in every), sum(failed)
    waits = LongWaits.of(facts)
    spent = sum(own[-1] - waits.begins_ns(who) for who, own in line.failed.items())
    unseen = line.times - len(line.found)  # each was the end of an attempt, too
    all_failed = min(len(failed) + unseen, count)
    if len(failed) < max(_MANY, 2 * len(every)) or all_failed * _HALF < count:
        return None
    if lost < LOST_NS or lost * _PART < spent:
        return None
    pauses = sum(one.pauses for one in every) * _HALF >= len(failed)
    kind, again = ("retries", "after a pause") if pauses else ("busy loop", "at once")
    text = (
        f"{kind.capitalize()}: {users(facts.model, line.failed)}{place_in(line.site)} "
        f"{line.failing}{line.raised}, and tried again {again}: "
        f"{share(all_failed, count)} of the attempts there failed, which took "
        f"{'more than ' if unseen else ''}{duration(lost)} in total, {share(lost, spent)} of "
        f"their time until then ({at(facts, line.found[0].at_ns)} and later)."
    )
    return _finding(facts, kind, lost, text, line, _next_step(line))


def _next_step(line: _Line) -> str:
    if not line.is_answer:
        return (
            "Find out why it fails so often: where they are in each other's way, let one at a "
            "time try (a lock), or pause for a random time; where it is down, give up sooner."
        )
    if line.how in _TOO_MANY:
        return (
            "Ask as few at a time as the server takes (a semaphore), and before asking again "
            "wait as long as it says (`Retry-After`), or longer each time."
        )
    return "Read the answer: asking again at once does not change it."


def _last_calls(line: _Line) -> set[str]:
    """The stacks of the calls at the line after which it mostly fails: each is the end of an
    attempt, whether that fails or not. None, where most failures are followed by a pause, or a
    call elsewhere, which is the end of any attempt."""
    found, apart, count = Counter[str](), 0, 0
    for who, failed in line.failed.items():
        calls = line.calls[who].every
        for n in map(partial(bisect_left, line.calls[who].starts), failed):
            if n and line.has(calls[n - 1]):
                found[calls[n - 1].stack] += 1
            apart += n == len(calls) or not line.has(calls[n])
        count += len(failed)
    is_apart = apart * _HALF >= count
    return set() if is_apart else {one for one in found if found[one] * _RARE >= count}


def _attempts(line: _Line, who: Who, last: set[str]) -> _Attempts:
    """An attempt begins with the first call in the function. It has failed if a failure comes
    after its first call at the line and before the next attempt."""
    failed, ended, pauses, costs, begun, there = line.failed[who], 0, 0, list[int](), -1, -1
    for call, after in line.calls[who].within(line.site):
        if call.is_pause:
            continue
        if begun < 0 and is_within(call.stack, line.site):
            begun = call.start_ns
        if not line.has(call):
            continue
        there = call.start_ns if there < 0 else there
        if call.stack not in last if last else after is not None and line.has(after):
            continue
        ended += 1
        n = bisect_left(failed, there)
        if n < len(failed) and (after is None or failed[n] <= after.start_ns):
            costs.append(failed[n] - begun)
            pauses += after is not None and after.is_pause
        begun = there = -1
    return _Attempts(ended, costs, pauses)


def _finding(facts: Facts, kind: str, lost: int, text: str, line: _Line, step: str) -> Finding:
    first, last = line.found[0], line.found[-1]
    evidence = facts.evidence(first.who, first.at_ns, last.at_ns - first.at_ns, line.site)
    return Finding(kind, lost, text, evidence, step)


# One client that tries again until it gets through is right to do so, if that takes less than
# five seconds. Of several, pauses that are a third of what they did for a second are a fault.
_SEVERAL_NS = 1_000 * MS
_ALONE_NS = 5_000 * MS
_SOME, _EACH_PAUSES = 3, 2
_PAUSED = 3
_LEAST_NS = 5 * MS
_MOST_PAUSES = 10_000
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
        least = _ALONE_NS if callers == 1 else _SEVERAL_NS
        if lost < least or len(found) < max(_SOME, _EACH_PAUSES * callers):
            continue
        if lost * _PAUSED >= (spent := _spent_ns(facts, found)):
            yield _paused(facts, frame, site, found, lost, spent)


def _of_threads(facts: Facts) -> Iterator[tuple[str, str, _Pause]]:
    table, told = facts.model.states, LongWaits.of(facts).told
    for row in longest_rows(facts, (SLEEP,), _LEAST_NS, _MOST_PAUSES):
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


def _paused(
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
