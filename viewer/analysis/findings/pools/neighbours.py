"""What the workers of a home-made pool did just before the job of a request: other jobs, for
which nobody waits. They are told apart by the function that the worker's own loop called."""

from bisect import bisect_right
from itertools import chain
from typing import NamedTuple

from viewer.analysis.findings.basis.facts import BLOCKED, Facts
from viewer.analysis.ledger.jobs import Job, ThreadPool
from viewer.analysis.resources.servers import JOBS
from viewer.analysis.states import stack_of
from viewer.trace.columns import IDLE_WAIT, LOCK_WAIT, STATE_MASK
from viewer.trace.sites import is_library, place_of

_TELLING_NS = 1_000_000  # what blocks for less does not name a job
_MOST = 20_000  # blocked times of a pool that are looked at

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
    left = _MOST
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
            loops.add(_function(facts.wait(row)[1]))
    for row in blocked[:most]:
        start, end = table.start_ns[row], table.end_ns[row]
        if end - start < _TELLING_NS or _is_for_jobs(facts, row):
            continue
        site = _called(stack_of(facts.model, row), loops)
        if site:
            found.append(_Run(_function(site), site, end))
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
            if _function(frame) in loops:
                return inner
            inner = frame
    return ""


def _function(frame: str) -> _Function:
    place = place_of(frame)
    return place.path, place.function
