"""Jobs of a scheduler that runs one after the other on its thread: a long one delays all."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.doing import mostly
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.inside import called_by
from viewer.analysis.findings.basis.words import at, middle
from viewer.analysis.states import mentioned, stack_of
from viewer.trace.columns import IO, LOCK_WAIT, SLEEP, STATE_MASK
from viewer.trace.sites import is_library, place_of
from viewer.words import code

# The scheduler looked for its next job ten times or more, and mostly had one soon. A job took
# a tenth of a second, four times as long, half a second in all: so others were due meanwhile.
_LOOKS = 10
_PAUSE_NS = MS  # after each job it sleeps for no time at all
_LONG_NS = 100 * MS
_TIMES = 4
# What runs the jobs, and what it sleeps in until the next one is due.
_RUNS = (
    ("/sched.py:", " scheduler.run"),
    ("/schedule/__init__.py:", " Scheduler.run_pending"),
)


class _Job(NamedTuple):
    """A time in which a job kept the scheduler, and the job's own line; "" unknown."""

    start_ns: int
    end_ns: int
    site: str

    @property
    def ns(self) -> int:
        return self.end_ns - self.start_ns


def late_jobs(facts: Facts) -> Iterator[Finding]:
    """A scheduler that one of its jobs kept for so long that others were late."""
    if not any(mentioned(facts.model, runs) for _, runs in _RUNS):
        return
    table = facts.model.states
    idle: dict[int, list[tuple[int, int]]] = defaultdict(list)
    busy: dict[int, list[tuple[int, str]]] = defaultdict(list)
    sleeps = defaultdict[tuple[int, str], list[int]](list)
    for row in facts.rows_of((SLEEP, IO, LOCK_WAIT), 0):
        stack = stack_of(facts.model, row).split("\n")
        runs = _place(stack)
        if runs == 0:
            idle[table.who[row]].append((table.start_ns[row], table.end_ns[row]))
        elif runs > 0:
            job = called_by(stack, runs)
            busy[table.who[row]].append((table.start_ns[row], job or stack[runs - 1]))
        elif table.state[row] & STATE_MASK == SLEEP:
            sleeps[table.who[row], facts.call(table.row[row])[1]].append(row)
    for thread, jobs in busy.items():
        if thread not in idle:  # schedule's: the program sleeps itself
            rows = max(
                (rows for (who, _), rows in sleeps.items() if who == thread),
                key=len, default=[],
            )  # fmt: skip
            idle[thread] = [(table.start_ns[row], table.end_ns[row]) for row in rows]
        yield from _of_thread(facts, thread, sorted(idle[thread]), jobs)


def _place(stack: list[str]) -> int:
    """Which frame runs a scheduler's jobs; -1 none. 0: it sleeps until the next one."""
    for n, frame in enumerate(stack):
        if any(path in frame and frame.endswith(runs) for path, runs in _RUNS):
            return n
    return -1


def _of_thread(
    facts: Facts, thread: int, idle: list[tuple[int, int]], busy: list[tuple[int, str]]
) -> Iterator[Finding]:
    pauses = [end - start for start, end in idle if end - start >= _PAUSE_NS]
    if len(pauses) < _LOOKS:
        return
    usual = middle(pauses)
    busy.sort()
    begins = [start for start, _ in busy]
    found: dict[str, list[_Job]] = defaultdict(list)
    for (_, since), (until, _) in pairwise(idle):
        low, high = bisect_left(begins, since), bisect_right(begins, until)
        if until - since >= max(_LONG_NS, usual * _TIMES) and low < high:
            lines = [place_of(site).function for _, site in busy[low:high]]
            name = max(set(lines), key=lines.count)
            site = next(s for _, s in busy[low:high] if place_of(s).function == name)
            found[name].append(_Job(since, until, site))
    for name, jobs in found.items():
        lost = sum(job.ns - usual for job in jobs)
        if lost >= LOST_NS and not is_library(jobs[0].site):
            yield _finding(facts, thread, name, jobs, usual, lost)


def _finding(
    facts: Facts, thread: int, name: str, jobs: list[_Job], usual: int, lost: int
) -> Finding:
    worst = max(jobs, key=lambda job: job.ns)
    who = ("thread", thread)
    now = mostly(facts, [(who, job.start_ns, job.end_ns) for job in jobs])
    text = (
        f"Pool exhausted: {code(facts.model.thread_names[thread])} runs all jobs of its "
        f"scheduler one after the other, and {code(name, worst.site)} kept it "
        f"{plural(len(jobs), 'time')}, for {duration(worst.ns)} at most "
        f"({at(facts, worst.start_ns)}){f', {now.text}' if now.text else ''}, though it "
        f"mostly has the next job after {duration(usual)}: jobs that were due meanwhile "
        f"came late. Let the scheduler only start such a job, in a thread or a pool."
    )
    evidence = facts.evidence(who, worst.start_ns, worst.ns, worst.site)
    return Finding("pool exhausted", lost, text, evidence, behind=now.behind)
