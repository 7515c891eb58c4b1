"""Jobs, threads and children of which each is waited for before the next one begins: what runs
beside its caller would run as well in it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from tracer import schema as s
from tracer.units import MS, duration
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.jobs import Job
from viewer.analysis.processes.jobs import Jobs
from viewer.analysis.states import mentioned, stack_of
from viewer.trace.columns import CONTINUES, IDLE_WAIT, IO, LOCK_WAIT, SLEEP, STATE_MASK
from viewer.trace.sites import is_library, own_frames, place_of
from viewer.words import code, stem

# Whether one needs the result of the one before, no trace can tell. So this is advice: eight
# or more from one line, which fill the time from the first to the last, and their caller waits
# for most of that; together they would have saved half a second.
_TIMES = 8
_MOSTLY = 8, 10
_LEAST_NS = 10 * MS  # on average
_MOST = 10_000  # that are looked at
_SUBPROCESS = "/subprocess.py:"
_CHILD = (" Popen.wait", " Popen.communicate")


class _One(NamedTuple):
    start_ns: int
    end_ns: int


class _Kind(NamedTuple):
    """`begins` and `waits` are what the caller does with each."""

    what: str
    begins: str
    step: str


_JOBS = _Kind(
    "job",
    "submits",
    "Submit all of them first, then ask for the results (`map`, `as_completed`).",
)
_THREADS = _Kind("thread", "starts", "Start all of them first, then join them, or use a pool.")
_CHILDREN = _Kind("child", "runs", "Start all of them first (`Popen`), then wait for them.")

# By who waits, what runs, and the line that begins it.
type _Alike = dict[tuple[Who, str, str], list[_One]]


def one_at_a_time(facts: Facts) -> Iterator[Finding]:
    """Each is begun and waited for, one after the other."""
    for kind, alike in (
        (_JOBS, _jobs(facts)),
        (_THREADS, _threads(facts)),
        (_CHILDREN, _children(facts)),
    ):
        callers = Counter((what, site) for _, what, site in alike)
        for (who, what, site), every in alike.items():
            found = sorted(every)
            if callers[what, site] > 1:
                continue  # others do so at the same time
            if len(found) >= _TIMES and _in_turn(facts, kind, who, found):
                yield _finding(facts, kind, who, what, site, found)
    yield from _called_first(facts)


def _jobs(facts: Facts) -> _Alike:
    found: _Alike = defaultdict(list)
    for job in facts.jobs.all[:_MOST]:
        if job.submitter is not None and job.submitter[0] == "thread":
            key = job.submitter, job.name, job.site
            found[key].append(_One(job.submitted_ns, job.ended_ns))
    kinds = Jobs.of(facts.model).kinds
    for pool in Jobs.of(facts.model).pools:
        of = pool.columns
        for row in pool.begun:
            if row < _MOST and of.thread[row] >= 0:
                key = ("thread", of.thread[row]), *kinds[of.kind[row]]
                found[key].append(_One(of.submit_ns[row], of.end_ns[row]))
    return found


def _threads(facts: Facts) -> _Alike:
    found, model = defaultdict[tuple[Who, str, str], list[_One]](list), facts.model
    for thread, (parent, event) in [*facts.ledger.starters.items()][:_MOST]:
        site = str(model.trace.args(event).get(s.ARG_SITE, ""))
        if thread in facts.jobs.pool_of or is_library(site):
            continue
        who: Who = ("thread", parent)
        one = _One(model.states.first_ns[thread], model.states.last_ns[thread])
        found[who, stem(model.thread_names[thread]), site].append(one)
    return found


def _children(facts: Facts) -> _Alike:
    """Waits for children from one line, called from one line."""
    table, found = facts.model.states, defaultdict[tuple[Who, str, str], list[_One]](list)
    if not mentioned(facts.model, _SUBPROCESS):
        return found
    for row in facts.rows_of((IO,), _LEAST_NS)[:_MOST]:
        if table.state[row] & CONTINUES:
            continue
        stack = stack_of(facts.model, row).split("\n")
        if not any(frame.endswith(_CHILD) and _SUBPROCESS in frame for frame in stack):
            continue
        own = own_frames(stack)
        if own:
            key: tuple[Who, str, str] = ("thread", table.who[row]), "|".join(own[:2]), own[0]
            found[key].append(_One(table.start_ns[row], table.busy_end_ns[row]))
    return found


def _in_turn(facts: Facts, kind: _Kind, who: Who, found: list[_One]) -> bool:
    if any(later.start_ns < one.end_ns for one, later in pairwise(found)):
        return False
    took = [one.end_ns - one.start_ns for one in found]
    whole = found[-1].end_ns - found[0].start_ns
    if sum(took) - max(took) < LOST_NS or sum(took) < _LEAST_NS * len(found):
        return False
    is_most = sum(took) * _MOSTLY[1] >= whole * _MOSTLY[0]
    return is_most and _waits_ns(facts, kind, who[1], found) * _MOSTLY[1] >= whole * _MOSTLY[0]


def _waits_ns(facts: Facts, kind: _Kind, thread: int, found: list[_One]) -> int:
    """How long a thread waited from the first to the last of them: for threads not in calls,
    as a server waits for its clients."""
    states = (LOCK_WAIT, IDLE_WAIT) if kind is _THREADS else (LOCK_WAIT, IDLE_WAIT, IO)
    table, rows, ns = facts.model.states, facts.ledger.rows_of_threads, 0
    since, until = found[0].start_ns, found[-1].end_ns
    for n in rows.places(thread):
        if table.state[rows.row[n]] & STATE_MASK in states:
            ns += max(min(rows.end_ns[n], until) - max(rows.start_ns[n], since), 0)
    return ns


def _finding(
    facts: Facts, kind: _Kind, who: Who, what: str, site: str, found: Iterable[_One]
) -> Finding:
    times = list(found)
    took = [one.end_ns - one.start_ns for one in times]
    whole, saved = times[-1].end_ns - times[0].start_ns, sum(took) - max(took)
    if kind is _CHILDREN:
        begins = f"{kind.begins} children"
    else:
        begins = f"{kind.begins} {kind.what} {code(what, site if kind is _JOBS else '')}"
        site = _asked_at(facts, who, times[0]) if kind is _JOBS else site
    text = (
        f"Awaits in turn: {code(name_of(facts.model, who))}{place_in(site)} {begins} "
        f"{len(times)} times and waits for each before the next: {duration(whole)} "
        f"({at(facts, times[0].start_ns)}), the longest {duration(max(took))}. If none "
        f"depends on the one before, all together take as long as the longest; "
        f"{duration(saved)} would "
        f"be saved. {kind.step}"
    )
    evidence = facts.evidence(who, times[0].start_ns, whole, site)
    return Finding("awaits in turn", saved, text, evidence)


def _asked_at(facts: Facts, who: Who, one: _One) -> str:
    """The line that waits for a job; "" unknown."""
    for wait in LongWaits.of(facts).all:
        if wait.who == who and wait.start_ns < one.end_ns <= wait.end_ns + _LEAST_NS:
            return wait.site
    return ""


# `submit(fetch(url))` instead of `submit(fetch, url)`: the job is what `fetch` returned, which
# nobody can call.
_RESULTS = ("NoneType", "int", "float", "str", "bytes", "bool", "dict", "list", "tuple", "set")


def _called_first(facts: Facts) -> Iterator[Finding]:
    """A function is called where it should be submitted."""
    by = defaultdict[tuple[int, int], list[Job]](list)
    for job in facts.jobs.all[:_MOST]:
        if job.name in _RESULTS and job.submitter is not None and job.submitter[0] == "thread":
            by[job.submitter[1], job.pool].append(job)
    for (thread, _), jobs in by.items():
        times = sorted(job.submitted_ns for job in jobs)
        whole = times[-1] - times[0]
        if len(jobs) < _TIMES or whole < LOST_NS:
            continue
        row = max(_rows(facts, thread, times[0], times[-1]), key=facts.row_ns, default=-1)
        own = own_frames(stack_of(facts.model, row).split("\n")) if row >= 0 else []
        if len(own) < 2:
            continue
        called, site = place_of(own[0]).function, own[1]
        text = (
            f"Awaits in turn: {code(facts.model.thread_names[thread])}{place_in(site)} calls "
            f"{code(called, own[0])} itself and submits what it returns ({jobs[0].name}) to "
            f"{code(facts.jobs.pools[jobs[0].pool].name)}, {len(jobs)} times, one after the "
            f"other: {duration(whole)} ({at(facts, times[0])}). The workers have nothing to "
            f"call. Submit the function and its arguments: `submit({called}, ...)`."
        )
        evidence = facts.evidence(("thread", thread), times[0], whole, site)
        yield Finding("awaits in turn", whole, text, evidence)


def _rows(facts: Facts, thread: int, since_ns: int, until_ns: int) -> Iterator[int]:
    """The rows in which a thread waits in calls, or sleeps, meanwhile."""
    table, rows = facts.model.states, facts.ledger.rows_of_threads
    for n in rows.begun(thread, since_ns, until_ns):
        if table.state[rows.row[n]] & STATE_MASK in (IO, SLEEP):
            yield rows.row[n]
