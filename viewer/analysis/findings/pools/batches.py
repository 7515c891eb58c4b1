"""Jobs of a pool told apart: whose are one batch, of which what one waits for another is no
loss, and what workers of a home-made pool did besides for nobody who waits."""

from bisect import bisect_right
from collections import Counter, defaultdict
from itertools import chain
from typing import NamedTuple

from tracer.units import MS
from viewer.analysis.findings.basis.facts import BLOCKED, Facts
from viewer.analysis.findings.basis.waits import LongWaits
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.jobs import Job, ThreadPool
from viewer.analysis.ledger.resource import window
from viewer.analysis.locks import ENDS
from viewer.analysis.resources.servers import JOBS
from viewer.analysis.resources.waits import longest_rows
from viewer.analysis.states import stack_of
from viewer.trace.columns import IDLE_WAIT, LOCK_WAIT, STATE_MASK
from viewer.trace.sites import function_of, is_library

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


_TELLING_NS = 1_000_000  # what blocks for less does not name a job
_MOST_RUNS = 20_000  # blocked times of a pool that are looked at

type _Function = tuple[str, str]  # path and name


class _Run(NamedTuple):
    """A blocked time in a function that the loop called."""

    function: _Function
    site: str
    end_ns: int


def apart(facts: Facts, pool: ThreadPool, jobs: list[Job]) -> list[Job]:
    """The jobs, each of which begins when the worker had done with the one before; and those
    ones, if they are of another function."""
    runs = dict[int, list[_Run]]()
    left = _MOST_RUNS
    for thread in pool.threads:
        runs[thread] = _runs(facts, thread, left)
        left -= len(runs[thread])
        if left <= 0:
            return jobs
    sites = dict[_Function, str]()
    for run in chain.from_iterable(runs.values()):
        sites.setdefault(run.function, run.site)
    if len(sites) < 2:
        return jobs  # the loop calls one function for all of them
    found = list[Job]()
    for job in jobs:
        of = runs.get(job.thread, [])
        # What ends before the answer comes: the next job may begin before who asked runs.
        first = bisect_right(of, job.began_ns, key=_end_ns)
        last = bisect_right(of, job.ended_ns, key=_end_ns)
        others = list[_Run]()
        for run in of[first:last]:
            if others and others[-1].function == run.function:
                others[-1] = others[-1]._replace(end_ns=run.end_ns)
            else:
                others.append(run)
        start = job.began_ns
        for run in others[:-1]:
            name, site = run.function[1], sites[run.function]
            found.append(Job(job.pool, job.thread, start, start, run.end_ns, name, site, None))
            start = run.end_ns
        named = job
        for run in others[-1:]:
            named = job._replace(name=run.function[1], site=sites[run.function])
        found.append(named._replace(began_ns=start))
    found.sort(key=lambda job: (job.began_ns, job.thread))
    return found


def _runs(facts: Facts, thread: int, most: int) -> list[_Run]:
    table = facts.model.states
    loops, found = set[_Function](), list[_Run]()
    blocked = [
        row for row in facts.ledger.rows_of_threads.of(thread)
        if table.state[row] & STATE_MASK in BLOCKED
    ]  # fmt: skip
    for row in blocked[:most]:
        if _is_for_jobs(facts, row):
            loops.add(function_of(facts.wait(row)[1]))
    for row in blocked[:most]:
        start, end = table.start_ns[row], table.end_ns[row]
        if end - start < _TELLING_NS or _is_for_jobs(facts, row):
            continue
        site = _called(stack_of(facts.model, row), loops)
        if site:
            found.append(_Run(function_of(site), site, end))
    return found


def _end_ns(run: _Run) -> int:
    return run.end_ns


def _is_for_jobs(facts: Facts, row: int) -> bool:
    state = facts.model.states.state[row] & STATE_MASK
    return state in (IDLE_WAIT, LOCK_WAIT) and facts.wait(row)[0] in JOBS


def _called(stack: str, loops: set[_Function]) -> str:
    """The frame that the worker's loop called; "" where the loop is not on the stack."""
    inner = ""
    for frame in stack.split("\n"):
        if frame and not is_library(frame):
            if function_of(frame) in loops:
                return inner
            inner = frame
    return ""
