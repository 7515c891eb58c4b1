"""Locks that nobody gives back: who took each, and how that one ended."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.jobs import Job
from viewer.analysis.resources.enders import Blocked, Enders
from viewer.analysis.resources.takers import cancelled_before
from viewer.analysis.resources.waits import LOCKS, Wait, Waits


class Left(NamedTuple):
    """Waits in vain for a lock. `had` took it at `taken_at`, for the submitter of `job` where
    it is a worker. Nobody is known to have had one of asyncio: then all of `had` were
    cancelled shortly before, and `is_sure` is False."""

    vain: list[Wait]
    had: tuple[Who, ...]
    taken_at: str = ""
    taken_ns: int = -1
    job: Job | None = None
    is_sure: bool = True


def left_locks(waits: Waits, lost_ns: int, told: set[int]) -> Iterator[Left]:
    """Those whose waits since then lost so much; slices that are `told` do not count."""
    by_lock: dict[int, list[Wait]] = defaultdict(list)
    for wait in waits.all:
        if wait.name in LOCKS and wait.lock >= 0 and wait.slice not in told:
            by_lock[wait.lock].append(wait)
    for alike in by_lock.values():
        vain = [wait for wait in alike if wait.failed]
        last = max(alike, key=lambda wait: wait.end_ns)
        if sum(wait.ns for wait in vain) < lost_ns or not last.failed:
            continue
        found = _by_job(waits, vain)
        blocked = _had_last(waits, last) if found is None else None
        if found is None and blocked is not None:
            found = _by_ended(waits, vain, blocked, lost_ns)
        elif found is None and all(wait.who[0] == "task" for wait in alike):
            cancelled = tuple(sorted(cancelled_before(waits, vain)))
            if cancelled and len(vain) == len(alike):
                found = Left(vain, cancelled, is_sure=False)
        if found is not None:
            yield found


def _had_last(waits: Waits, wait: Wait) -> Blocked | None:
    """Who has the lock as a wait ends: those who had it before have given it on."""
    holds, start_ns = waits.reading.ledger.holds, wait.start_ns
    if holds.has(wait.lock):
        for hold, _ in holds.backwards(wait.lock, start_ns, wait.end_ns):
            start_ns = max(start_ns, waits.model.states.start_ns[hold])
            break
    return Enders.of(waits).whom(wait._replace(start_ns=start_ns))


def _by_ended(waits: Waits, vain: list[Wait], blocked: Blocked, lost_ns: int) -> Left | None:
    """The holder has ended; who cancels all of them cancels the holder first."""
    ended_ns = waits.ends_ns(blocked.by[0])
    if sum(max(wait.end_ns - max(wait.start_ns, ended_ns), 0) for wait in vain) < lost_ns:
        return None
    return Left(vain, blocked.by[:1], blocked.what[1], blocked.since_ns)


def _by_job(waits: Waits, vain: list[Wait]) -> Left | None:
    """The last to get it was a job of a pool that ended long ago: its worker lives on."""
    last = max(vain, key=lambda wait: wait.end_ns)
    ledger, table = waits.reading.ledger, waits.model.states
    holds = list(ledger.holds.backwards(last.lock, last.start_ns, last.end_ns))
    if len(holds) != 1:
        return None
    ((hold, _),) = holds
    owner, since = table.owner[hold], table.start_ns[hold]
    if owner < 0 or table.owner_is_task[owner]:
        return None
    job = running(
        waits, ledger.thread(table.owner_process[owner], table.owner_id[owner]), since
    )
    if job is None or job.ended_ns >= min(wait.start_ns for wait in vain):
        return None
    by = job.submitter
    if by is not None and by[0] == "task" and waits.ends_ns(by) >= last.end_ns:
        return None  # it may still release it
    site = waits.model.trace.text(table.site[hold]) if table.site[hold] >= 0 else ""
    return Left(vain, (("thread", job.thread),), site, since, job)


def running(waits: Waits, thread: int, time_ns: int) -> Job | None:
    """What a worker ran at a time."""
    jobs = waits.reading.jobs.of_thread.get(thread, [])
    n = bisect_right(jobs, time_ns, key=lambda job: job.began_ns) - 1
    return jobs[n] if n >= 0 and jobs[n].ended_ns >= time_ns else None
