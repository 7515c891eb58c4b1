"""Locks that nobody gives back, in words: who took each, and how that one ended."""

from collections.abc import Iterator

from tracer import schema as s
from tracer.units import plural
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in, sites, users
from viewer.analysis.findings.basis.words import at, in_total, names
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.left import Left, left_locks, running
from viewer.analysis.resources.waits import Wait
from viewer.trace.sites import is_library
from viewer.words import code, place

_SUSPECTS = 2  # who were cancelled before are named if they are no more
_WITH = "Acquire it with `with`, or release it in a `finally`."
_ASYNC_WITH = "Acquire it with `async with`, or release it in a `finally`."
_CANCELLED = (
    "A task that is cancelled leaves the thread to acquire the lock: use an `asyncio.Lock` in "
    "coroutines, or acquire and release it in one job."
)


def never_released(facts: Facts, waits: LongWaits) -> Iterator[Finding]:
    """Locks whose holder has ended, while others wait for them in vain."""
    for left in left_locks(waits, LOST_NS, waits.told):
        since, step = _since(facts, left)
        if not since:
            continue
        vain, lost = left.vain, sum(wait.ns for wait in left.vain)
        waits.told.update(wait.slice for wait in vain)
        worst = max(vain, key=lambda wait: wait.ns)
        waiting = [_for_whom(facts, wait) for wait in vain]
        where = next((site for _, site in waiting if site), "")
        what = f"a {worst.name}" if left.is_sure else "an asyncio.Lock"
        text = (
            f"Slots never returned: {users(facts.model, (who for who, _ in waiting))} waited "
            f"for {what} in {place_in(where).removeprefix(' in ') or sites(vain)} in vain: "
            f"{plural(len(vain), 'wait')}, {in_total(facts, lost, worst.ns, worst.start_ns)}. "
            f"{since}. {step}"
        )
        yield Finding("slots never returned", lost, text, waits.evidence(worst))


def _since(facts: Facts, left: Left) -> tuple[str, str]:
    """Who took it and how that one ended, and what to do; "" where too many may have it."""
    if not left.is_sure:
        suspects = {name_of(facts.model, who) for who in left.had}
        said = f"Nobody released it in that time; {names(suspects)} was cancelled shortly "
        return f"{said}before and may have had it" * (len(suspects) <= _SUSPECTS), _ASYNC_WITH
    (taker,), when = left.had, at(facts, left.taken_ns)
    where = f" at {place(left.taken_at)}" if left.taken_at else ""
    said = f"{users(facts.model, [taker])} acquired it"
    if left.job is None:
        where = f", acquired{where}" if where else ""
        ended = f"{users(facts.model, [taker])} {_end(facts, taker)}"
        return f"{ended} without releasing it{where}", _WITH
    job, by = left.job, left.job.submitter
    then = "and nobody has released it since"
    if by is None or by[0] != "task":
        ran = code(job.name, job.site)
        return f"{said}{where} {when} in its job {ran}, which has ended, {then}", _WITH
    how = "was cancelled" if facts.ledger.how_it_ended(by[1]) == s.CANCELLED else "has ended"
    whom = f"{code(name_of(facts.model, by))}{place_in(facts.awaits_job(job))}"
    return f"{said} for {whom}, which {how}, {when}, {then}", _CANCELLED


def _for_whom(facts: Facts, wait: Wait) -> tuple[Who, str]:
    """The task that awaits the job in which a worker waits, and where; else the thread."""
    kind, thread = wait.who
    waits = LongWaits.of(facts)
    job = running(waits, thread, wait.start_ns) if kind == "thread" else None
    if job is None or job.submitter is None or job.submitter[0] != "task":
        return wait.who, "" if is_library(wait.site) else wait.site
    return job.submitter, facts.awaits_job(job)


def _end(facts: Facts, who: Who) -> str:
    """`ended`, or `failed (KeyError) in `read` (app.py:9)`."""
    kind, which = who
    failure = facts.ledger.failures.get(which) if kind == "thread" else None
    if failure is None:
        return "ended"
    return f"failed ({failure.exception}){place_in(failure.site)}"
