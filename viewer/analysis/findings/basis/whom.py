"""What a wait is for, in words: whoever would have to end it, and what he would have to do."""

from tracer import schema as s
from viewer.analysis.findings.basis.facts import Facts
from viewer.analysis.findings.basis.waits import LongWaits, name_of, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.pools import pool_of
from viewer.analysis.resources.enders import Blocked, How
from viewer.analysis.resources.waits import Wait
from viewer.words import code, place

_AT_ONCE_NS = 100_000_000
_SAID = 3
_WHY = {
    How.LOCK: "for the lock that {one} holds{took}",
    How.JOIN: "for the end of {who}",
    How.JOB: "for {job}, which {some} {runs}",
    How.QUEUED: "for {job}, for which no worker of {pool} is free",
    How.MODULE: "for a module that {one} is importing",
    How.QUEUE: "in `{wait.name}`, which only {any} ever ended",
    How.LOOP: "for a coroutine on the loop of {one}",
    How.SLOT: "for a {slot}, which {who} {has}",
    How.CALLBACK: "for a result, though it is the thread that receives the results of its "
    "pool",
    How.EVENT: "for {what}, which {one} set in the end",
    How.REPLY: "for an answer, as {who} gave to others",
    How.GIVEN: "for {one}, which it gave to the loop{failed}",
    How.BARRIER: "at a barrier for {who}",
}
_OWN_LOOP = (
    "in `{wait.name}` and blocks its own event loop meanwhile: what it had given to that loop "
    "could only run when it gave up"
)
_OWN_COROUTINE = "for a coroutine on its own event loop, which it blocks meanwhile"
_RESULT = "Future.result"


def why(facts: Facts, wait: Wait, blocked: Blocked) -> str:
    """`for the lock that `sync` holds, acquired at app.py:13`."""
    by, (what, site) = blocked.by, blocked.what
    told = _WHY[blocked.how]
    if blocked.how is How.LOOP and by == (wait.who,):
        told = _OWN_COROUTINE if wait.name == _RESULT else _OWN_LOOP
    pool, of_jobs = pool_of(wait.name, wait.stack), facts.jobs.pool_of
    named = [code(name_of(facts.model, who)) for who in by[:_SAID]]
    job = "the others of its barrier" if wait.name.startswith("Barrier") else "a job"
    return told.format(
        wait=wait,
        one=named[0],
        who=users(facts.model, by),
        any=" or ".join(named) + " or others" * (len(by) > _SAID),
        some=" and ".join(named[:2]) + " and others" * (len(by) > 2),
        runs="run" if len(by) > 1 else "runs",
        has="have" if len(by) > 1 else "has",
        job=code(what, site) if what else job,
        took=f", acquired at {place(site)}" if site else "",
        slot=f"{pool.slot} of {pool.of}" if pool is not None else "",
        what="a future" if wait.name == "future" else f"`{wait.name}`",
        pool=code(facts.jobs.pools[of_jobs[by[0][1]]].name) if by[0][1] in of_jobs else "",
        failed=_failed(facts, by[0], blocked.failed_ns),
    )


def _failed(facts: Facts, who: Who, at_ns: int) -> str:
    """`. `f` failed (SystemExit) at 252 ms, and that ended `loop-thread` with its loop`."""
    if at_ns < 0:
        return ""
    thread = facts.ledger.thread_of_task(who[1])
    last_ns = LongWaits.of(facts).ends_ns(("thread", thread)) if thread >= 0 else 0
    how = facts.ledger.how_it_ended(who[1]).removeprefix(s.FAILED_PREFIX)
    failed = f". {code(name_of(facts.model, who))} failed ({how}) {at(facts, at_ns)}"
    if thread < 0 or abs(last_ns - at_ns) >= _AT_ONCE_NS:
        return failed
    return f"{failed}, and that ended {code(facts.model.thread_names[thread])} with its loop"
