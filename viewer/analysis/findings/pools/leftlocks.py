"""Locks that a job of a pool left locked: its worker lives on, and others wait in vain."""

from bisect import bisect_right

from tracer import schema as s
from tracer.units import plural
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in, sites, users
from viewer.analysis.findings.basis.words import at, in_total
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.jobs import Job
from viewer.analysis.resources.waits import Wait
from viewer.trace.sites import is_library
from viewer.words import code, place


def left_by_job(facts: Facts, waits: LongWaits, vain: list[Wait], lost: int) -> Finding | None:
    """The last to get a lock was a job that ended long ago, and nobody gets it any more."""
    last = max(vain, key=lambda wait: wait.end_ns)
    holds = list(facts.ledger.holds.backwards(last.lock, last.start_ns, last.end_ns))
    if len(holds) != 1:
        return None
    ((hold, _),) = holds
    took = _job_of(facts, hold)
    if took is None or took.ended_ns >= min(wait.start_ns for wait in vain):
        return None
    by = took.submitter
    if by is not None and by[0] == "task" and waits.ends_ns(by) >= last.end_ns:
        return None  # it may still release it
    waits.told.update(wait.slice for wait in vain)
    worst = max(vain, key=lambda wait: wait.ns)
    waiting = [_for_whom(facts, wait) for wait in vain]
    who = users(facts.model, (who for who, _ in waiting))
    where = next((site for _, site in waiting if site), "")
    text = (
        f"Slots never returned: {who} waited for a {worst.name} in "
        f"{place_in(where).removeprefix(' in ') or sites(vain)} in vain: "
        f"{plural(len(vain), 'wait')}, {in_total(facts, lost, worst.ns, worst.start_ns)}. "
        f"{code(name_of(facts.model, ('thread', took.thread)))} acquired "
        f"it{_acquired(facts, hold, took)}, and nobody has released it since. "
        f"{_step(facts, took)}"
    )
    return Finding("slots never returned", lost, text, waits.evidence(worst))


def _job_of(facts: Facts, hold: int) -> Job | None:
    """The job that got a lock, if a thread of a pool has it."""
    table = facts.model.states
    owner, since = table.owner[hold], table.start_ns[hold]
    if owner < 0 or table.owner_is_task[owner]:
        return None
    thread = facts.ledger.thread(table.owner_process[owner], table.owner_id[owner])
    return _running(facts, thread, since)


def _running(facts: Facts, thread: int, time_ns: int) -> Job | None:
    """What a worker ran at a time."""
    jobs = facts.jobs.of_thread.get(thread, [])
    n = bisect_right(jobs, time_ns, key=lambda job: job.began_ns) - 1
    return jobs[n] if n >= 0 and jobs[n].ended_ns >= time_ns else None


def _for_whom(facts: Facts, wait: Wait) -> tuple[Who, str]:
    """The task that awaits the job in which a worker waits, and where; else the thread."""
    kind, thread = wait.who
    job = _running(facts, thread, wait.start_ns) if kind == "thread" else None
    if job is None or job.submitter is None or job.submitter[0] != "task":
        return wait.who, "" if is_library(wait.site) else wait.site
    return job.submitter, facts.awaits_job(job)


def _acquired(facts: Facts, hold: int, job: Job) -> str:
    """Where it was acquired, in which job or for whom, and how that ended."""
    table, by = facts.model.states, job.submitter
    site = facts.model.trace.text(table.site[hold]) if table.site[hold] >= 0 else ""
    when = at(facts, table.start_ns[hold])
    if by is None or by[0] != "task":
        where = f" at {place(site)}" if site else ""
        return f"{where} {when} in its job {code(job.name, job.site)}, which has ended"
    how = facts.ledger.how_it_ended(by[1])
    said = "was cancelled" if how == s.CANCELLED else "has ended"
    whom = f"{code(name_of(facts.model, by))}{place_in(facts.awaits_job(job))}"
    return f" for {whom}, which {said}, {when}"


def _step(facts: Facts, job: Job) -> str:
    by = job.submitter
    if by is not None and by[0] == "task":
        return (
            "A task that is cancelled leaves the thread to acquire the lock: use an "
            "`asyncio.Lock` in coroutines, or acquire and release it in one job."
        )
    return "Acquire it with `with`, or release it in a `finally`."
