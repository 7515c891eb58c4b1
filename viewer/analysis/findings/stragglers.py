"""One job of many equal ones that takes far longer than the others, while somebody waits."""

from collections import defaultdict
from collections.abc import Iterator
from statistics import median
from typing import NamedTuple

from tracer.units import duration, plural
from viewer.analysis.findings.doing import mostly
from viewer.analysis.findings.facts import Facts, Finding
from viewer.analysis.findings.waits import LongWaits, Wait, place_in, users
from viewer.analysis.findings.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.jobs import Job
from viewer.analysis.locks import ENDS
from viewer.words import code

_MS = 1_000_000
# Four equal jobs or more had ended in a tenth of the time, and for half a second somebody
# waited for this one alone. It waited itself for most of that: else it just had more to do.
_OTHERS = 4
_TIMES = 10
_LOST_NS = 500 * _MS
_MOSTLY = 80  # per cent
_COVERED = 8, 10
_MOST = 200  # slow jobs that are looked at, the longest ones
_RESULTS = ("Future.result", "futures.wait", "futures.as_completed", "executor", *ENDS)


class _Slow(NamedTuple):
    """A job that was the last of its kind from `since_ns` on, and who waited then."""

    job: Job
    usual_ns: int
    since_ns: int
    wait: Wait

    @property
    def ns(self) -> int:
        return self.job.ended_ns - self.since_ns


def straggler(facts: Facts) -> Iterator[Finding]:
    """Somebody waits for the slowest of many equal jobs of a pool, which itself waits."""
    alike: dict[tuple[int, str, Who | None], list[Job]] = defaultdict(list)
    for job in facts.jobs.all:
        alike[job.pool, job.site or job.name, job.submitter].append(job)
    found: dict[tuple[str, str], list[_Slow]] = defaultdict(list)
    for jobs in alike.values():
        if len(jobs) <= _OTHERS:
            continue
        usual = int(median(job.ended_ns - job.began_ns for job in jobs))
        slow = [
            job for job in jobs if job.ended_ns - job.began_ns >= max(_LOST_NS, usual * _TIMES)
        ]
        slow.sort(key=lambda job: job.began_ns - job.ended_ns)
        for job in slow[:_MOST]:
            late = _alone(facts, job, jobs, usual)
            if late is not None:
                found[job.name, late.wait.site].append(late)
    for every in found.values():
        lost = sum(one.ns for one in every)
        if lost >= _LOST_NS:
            yield from _finding(facts, every, lost)


def _alone(facts: Facts, job: Job, jobs: list[Job], usual: int) -> _Slow | None:
    """Whether the others had ended, and whoever submitted them waits."""
    others = [one.ended_ns for one in jobs if one is not job and one.began_ns < job.ended_ns]
    since = max([job.began_ns, *(ns for ns in others if ns < job.ended_ns)])
    if len(others) < _OTHERS or job.ended_ns - since < _LOST_NS or job.submitter is None:
        return None
    if any(ns > job.ended_ns for ns in others):
        return None
    waits = LongWaits.of(facts)
    for wait in waits.all:
        met = min(wait.end_ns, job.ended_ns) - max(wait.start_ns, since)
        is_it = wait.who == job.submitter and wait.name in _RESULTS
        if is_it and met * _COVERED[1] >= (job.ended_ns - since) * _COVERED[0]:
            return None if wait.slice in waits.told else _Slow(job, usual, since, wait)
    return None


def _finding(facts: Facts, every: list[_Slow], lost: int) -> Iterator[Finding]:
    worst = max(every, key=lambda one: one.ns)
    job, wait, waits = worst.job, worst.wait, LongWaits.of(facts)
    now = mostly(
        facts,
        [(("thread", one.job.thread), one.since_ns, one.job.ended_ns) for one in every],
    )
    if now.most < _MOSTLY or "computing" in now.text:
        return
    waits.told.update(one.wait.slice for one in every)
    times = f": {plural(len(every), 'such wait')}, {duration(lost)} in total"
    text = (
        f"Slow answer: {users(facts.model, (one.wait.who for one in every))}"
        f"{place_in(wait.site)} waited {duration(worst.ns)} in `{wait.name}` "
        f"({at(facts, worst.since_ns)}) for one last job alone, {code(job.name, job.site)} on "
        f"{code(facts.model.thread_names[job.thread])}, {now.text}; the others took "
        f"{duration(worst.usual_ns)}, as a rule{times if len(every) > 1 else ''}. Give what "
        f"the job waits for a time-out, or go on without the last ones."
    )
    evidence = waits.evidence(wait)
    yield Finding("slow answer", lost, text, evidence, behind=now.behind)
