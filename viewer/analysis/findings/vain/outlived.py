"""Jobs whose result somebody gave up to wait for, and whose end the program then waits for."""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer.units import duration, plural
from viewer.analysis.findings.basis.doing import doing
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.locks import ENDS
from viewer.analysis.resources.enders import Enders
from viewer.analysis.resources.waits import Wait
from viewer.trace.sites import is_library
from viewer.words import code

# Whoever set a time-out wanted to be on time: it notices half a second more.
_LONG_NS = 500_000_000
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
    ends = [wait for wait in waits.all if wait.name in ENDS and wait.ns >= _LONG_NS]
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
