"""Whose jobs of a pool are one batch: what they wait for each other is no loss."""

from collections import Counter, defaultdict
from typing import NamedTuple

from tracer.units import MS
from viewer.analysis.findings.basis.facts import BLOCKED, Facts
from viewer.analysis.findings.basis.waits import LongWaits
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.jobs import Job
from viewer.analysis.ledger.resource import window
from viewer.analysis.locks import ENDS
from viewer.analysis.resources.waits import longest_rows
from viewer.trace.columns import IDLE_WAIT, LOCK_WAIT

_NOTICED_NS = 5 * MS
# What a caller's jobs wait for each other is its own batch, when it waits for their results.
# Who never does hands on what others ask for: a server's accept loop, a scheduler. Then only
# equal jobs are a batch that it submitted at once, without waiting for something in between.
_RESULTS = ("Future.result", "futures.wait", "futures.as_completed", "as_completed", "wait",
            "executor shutdown", "Thread.join", "AsyncResult.get",
            "IMapIterator.next")  # fmt: skip
# Who submits a job and waits for its result at once, and for no other, makes a call.
_AT_ONCE_NS = 5 * MS
_SOON_NS = 20 * MS
# The results of many quick jobs come at short intervals: none of the waits need be long.
_SHORT_NS = MS
_WAITED_NS = 10 * MS
_MOST = 10_000

type _Kind = tuple[str, str]  # name and site of a job's function
type _Batch = tuple[Who | None, _Kind | None, int]


class Collects(NamedTuple):
    """A wait for the results of jobs."""

    start_ns: int
    end_ns: int
    name: str


def collectors_of(facts: Facts) -> dict[Who, list[Collects]]:
    """The threads that wait for the results of jobs, and their waits in order of begin."""
    found = defaultdict[Who, list[Collects]](list)
    for wait in LongWaits.of(facts).all:
        if wait.name in _RESULTS:
            found[wait.who].append(Collects(wait.start_ns, wait.end_ns, wait.name))
    return found | _bit_by_bit(facts, found)


def _bit_by_bit(facts: Facts, known: dict[Who, list[Collects]]) -> dict[Who, list[Collects]]:
    """Other threads whose short waits for results are long together."""
    table, found = facts.model.states, defaultdict[Who, list[Collects]](list)
    total_ns = Counter[Who]()
    for row in longest_rows(facts, (LOCK_WAIT, IDLE_WAIT), _SHORT_NS, _MOST):
        who: Who = ("thread", table.who[row])
        if who in known or (name := facts.wait(row)[0]) not in _RESULTS or name in ENDS:
            continue
        found[who].append(Collects(table.start_ns[row], table.end_ns[row], name))
        total_ns[who] += facts.row_ns(row)
    return {who: sorted(waits) for who, waits in found.items() if total_ns[who] >= _WAITED_NS}


def batches_of(
    facts: Facts, jobs: list[Job], handed: list[bool], collectors: dict[Who, list[Collects]]
) -> list[int]:
    """By job the number of its batch. `handed`: its function is a library's."""
    known, batches = dict[_Batch, int](), [0] * len(jobs)
    alike = {(job.submitter, job.name, job.site) for job in jobs}
    if len(alike) == 1 and next(iter(alike))[0] not in collectors:
        when = [job.submitted_ns for job in jobs]
        if max(when) - min(when) < _NOTICED_NS:
            return batches  # of one function, submitted at once
    last: dict[tuple[Who, _Kind], tuple[int, int]] = {}  # the batch before, and when
    calls, known_to = _calls(jobs, collectors), _collecting(jobs, collectors)
    # Whoever only waits for the end of the workers may hand on other work all the time before.
    collect = {who for who, waits in known_to.items() if {w.name for w in waits} - {*ENDS}}
    for n in _in_order(jobs):
        job = jobs[n]
        by, kind = job.submitter, (job.name, job.site)
        is_own = by is None or by[0] == "task" or by in (collect if handed[n] else known_to)
        if by is None or is_own:
            batches[n] = known.setdefault((by, None, n + 1 if n in calls else 0), len(known))
            continue
        mine, now = (by, kind), job.submitted_ns
        count, since = last.get(mine, (0, now))
        if now - since >= _NOTICED_NS and _waited_between(facts, by[1], since, now):
            count += 1
        batches[n] = known.setdefault((by, kind, count), len(known))
        last[mine] = count, now
    return batches


def _in_order(jobs: list[Job]) -> list[int]:
    """Their numbers in order of submission."""
    times_ns = [job.submitted_ns for job in jobs]
    return sorted(range(len(jobs)), key=times_ns.__getitem__)


def _collecting(
    jobs: list[Job], collectors: dict[Who, list[Collects]]
) -> dict[Who, list[Collects]]:
    """Those that waited while they had jobs in the pool, not before or at their own end."""
    spans = dict[Who, tuple[int, int]]()
    for job in jobs:
        if job.submitter is not None and job.submitter in collectors:
            since, until = spans.get(job.submitter, (job.submitted_ns, job.ended_ns))
            spans[job.submitter] = min(since, job.submitted_ns), max(until, job.ended_ns)
    found = {
        who: [wait for wait in collectors[who] if since <= wait.start_ns < until]
        for who, (since, until) in spans.items()
    }
    return {who: waits for who, waits in found.items() if waits}


def _calls(jobs: list[Job], collectors: dict[Who, list[Collects]]) -> set[int]:
    """The jobs for whose results alone their submitters waited, as soon as these had submitted
    them: it is the last job before the wait, and ends it."""
    own = defaultdict[Who, list[int]](list)
    for n in _in_order(jobs):
        by = jobs[n].submitter
        if by is not None and by in collectors:
            own[by].append(n)
    found = set[int]()
    for who, numbers in own.items():
        at = 0
        for wait in collectors[who]:
            while at < len(numbers) and jobs[numbers[at]].submitted_ns <= wait.start_ns:
                at += 1
            job = jobs[numbers[at - 1]] if at else None
            if (
                job is not None
                and wait.start_ns - job.submitted_ns <= _AT_ONCE_NS
                and -_AT_ONCE_NS <= wait.end_ns - job.ended_ns <= _SOON_NS
            ):
                found.add(numbers[at - 1])
    return found


def _waited_between(facts: Facts, thread: int, since: int, until: int) -> bool:
    return facts.split(thread, window(since, until)).of(BLOCKED) >= _NOTICED_NS
