"""Ends that last although somebody gave up: a pool that waits for a job whose result nobody
wants any more, and the `close` of a client or pool."""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.doing import doing
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.locks import ENDS
from viewer.analysis.resources.enders import Enders
from viewer.analysis.resources.talks import askers
from viewer.analysis.resources.waits import Wait
from viewer.trace.sites import is_library, place_of
from viewer.words import code

# Whoever set a time-out wanted to be on time: it notices half a second more.
_MOST = 100  # ends that are looked at, the longest ones
_RESULTS = ("Future.result", "futures.wait", "futures.as_completed", "executor")


class _End(NamedTuple):
    """A wait for the end of a thread, whose job somebody else had given up on in `gave_up`."""

    wait: Wait
    thread: int
    job: str
    gave_up: Wait


def outlived_time_out(facts: Facts) -> Iterator[Finding]:
    """A time-out for a result that only moves the wait to the pool's end."""
    waits = LongWaits.of(facts)
    ends = [wait for wait in waits.all if wait.name in ENDS and wait.ns >= LOST_NS]
    given_up = defaultdict[Who, list[Wait]](list)
    for wait in waits.all:
        if wait.failed and wait.name in _RESULTS and wait.slice not in waits.told:
            given_up[wait.who].append(wait)
    if not given_up or not ends:
        return
    last = {job.thread: job for job in facts.jobs.all}  # in order of their begin
    enders, found = Enders.of(LongWaits.of(facts)), defaultdict[str, list[_End]](list)
    ends.sort(key=lambda wait: -wait.ns)
    for wait in ends[:_MOST]:
        blocked = enders.whom(wait)
        if blocked is None or wait.slice in waits.told:
            continue
        ((_, thread), *_) = blocked.by
        job = last.get(thread)
        if job is None or job.submitter is None or job.submitter not in given_up:
            continue
        # It began no other job since somebody gave up to wait for it.
        before = [
            one for one in given_up[job.submitter]
            if job.began_ns <= one.end_ns <= wait.start_ns
        ]  # fmt: skip
        gave_up = max(before, key=lambda one: one.end_ns, default=None)
        asked = enders.whom(gave_up) if gave_up is not None else None
        if gave_up is not None and asked is not None and ("thread", thread) in asked.by:
            end = _End(wait, thread, code(job.name, job.site), gave_up)
            found[gave_up.site].append(end)
    for site, alike in found.items():
        for wait in (wait for whose in given_up.values() for wait in whose):
            if wait.site == site:
                waits.told.add(wait.slice)
        yield _finding(facts, waits, alike)


def _finding(facts: Facts, waits: LongWaits, alike: list[_End]) -> Finding:
    lost = sum(end.wait.ns for end in alike)
    waits.told.update(end.wait.slice for end in alike)
    worst = max(alike, key=lambda end: end.wait.ns)
    wait, gave_up = worst.wait, worst.gave_up
    who: Who = ("thread", worst.thread)
    did = doing(facts, [(who, wait.start_ns, wait.end_ns)])
    own = place_in(wait.site) if not is_library(wait.site) else ""
    text = (
        f"Waited in vain: {users(facts.model, {end.gave_up.who for end in alike})}"
        f"{place_in(gave_up.site)} gave up waiting for {worst.job} after "
        f"{duration(gave_up.ns)}, but the program then waited {duration(wait.ns)} in "
        f"`{wait.name}`{own} for it to end all the same ({at(facts, wait.start_ns)})"
        f"{f', {did}' if did else ''}"
        f"{'' if len(alike) == 1 else f'; so in {plural(len(alike), "wait")}'}. A time-out "
        f"ends the wait, not the job: give what the job does a time-out of its own, or leave "
        f"the pool with `shutdown(wait=False, cancel_futures=True)`."
    )
    return Finding("wait in vain", lost, text, waits.evidence(wait))


# Whoever closes in order is through in a moment; a second that ended in vain is a time-out.
_LONG_NS = 1_000 * MS
# So are three of a quarter of a second at one line, which take a second.
_EACH_NS, _TIMES = 250 * MS, 3
_CLOSES = re.compile(r"-packages/(?P<package>\w+)/\S+ \S*\b(?:close|aclose|disconnect)$")
_AT_ONCE_NS = 20 * MS
_SAID = 3


def close_in_vain(facts: Facts) -> Iterator[Finding]:
    """A task gave up in the `close` of a library, or is still in it."""
    waits = LongWaits.of(facts)
    long = [w for w in (*waits.all, *waits.for_tasks) if w.ns >= _EACH_NS]
    ended = {wait.who: wait.end_ns for wait in long if wait.failed}
    by_line = defaultdict[tuple[str, str], list[Wait]](list)
    for wait in long:
        # Where the library made tasks for it, these gave up.
        by = wait.end_ns if wait.failed else ended.get(wait.ender or wait.who, 0)
        if wait.who[0] != "task" or abs(wait.end_ns - by) > _AT_ONCE_NS:
            continue
        if wait.slice not in waits.told and (frame := _closing(wait)):
            by_line[wait.site, frame].append(wait)
    for (_, frame), found in by_line.items():
        lost = sum(wait.ns for wait in found)
        if len(found) >= _TIMES and lost >= _LONG_NS:
            yield _unclosed(facts, waits, found, frame)
            continue
        for wait in found:
            if wait.ns >= _LONG_NS:
                yield _unclosed(facts, waits, [wait], frame)


def _closing(wait: Wait) -> str:
    """The outermost frame of a library that closes, which the program's own code called."""
    found = ""
    for frame in wait.stack:
        if not is_library(frame):
            return found
        if _CLOSES.search(frame):
            found = frame
    return ""


def _unclosed(facts: Facts, waits: LongWaits, found: list[Wait], frame: str) -> Finding:
    match, wait = _CLOSES.search(frame), max(found, key=lambda one: one.ns)
    package = match["package"] if match else ""
    ends = "is still waiting" if wait.is_open else "gave up"
    lost = sum(one.ns for one in found)
    times = f", {plural(len(found), 'time')}, {duration(lost)} in total" * (len(found) > 1)
    text = (
        f"Waited in vain: {users(facts.model, {one.who for one in found})}"
        f"{place_in(wait.site)} waited {duration(wait.ns)} in "
        f"{code(place_of(frame).function, frame)} "
        f"({at(facts, wait.start_ns)}) and {ends}{times}"
    )
    if users_ := _still_use(waits, wait, package):
        did = doing(facts, [(who, wait.start_ns, wait.end_ns) for who in users_])
        text += (
            f". Meanwhile {users(facts.model, users_)}, which had used it, lived on"
            f"{f', {did}' if did else ''}. Cancel and await its users before you close it"
        )
    else:
        text += (
            ". Look at what it waits for: an answer of the other side that nobody reads any "
            "more, or a connection that was not given back"
        )
    waits.told.update(one.slice for one in found)
    return Finding("wait in vain", lost, f"{text}.", waits.evidence(wait))


def _still_use(waits: LongWaits, wait: Wait, package: str) -> list[Who]:
    """The tasks that used the library before and outlived the wait, if they are few."""
    asked, made = askers(waits, package, wait.start_ns, [wait.site])
    found = [
        who
        for who in {*asked, *made}
        if who[0] == "task" and who != wait.who and waits.ends_ns(who) >= wait.end_ns
    ]
    return found if len(found) <= _SAID else []
