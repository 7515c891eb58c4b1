"""Workers that a program made itself: threads that take requests from one queue, each of which
somebody waits for. Their requests are jobs, as those of an executor are."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator

from viewer.analysis.findings.basis.facts import Facts
from viewer.analysis.findings.basis.waits import LongWaits
from viewer.analysis.ledger.jobs import Job, ThreadPool
from viewer.analysis.resources.waits import GETS, Wait
from viewer.trace.columns import STATE_MASK, TASK_WAIT
from viewer.trace.sites import place_of
from viewer.words import stem

# In what one waits for an answer.
_ANSWERS = ("Event.wait", "Event", "Condition.wait", "Future.result", "future", *GETS)

# In what workers wait for the next job; a list of jobs has a condition.
JOBS = (*GETS, "Condition.wait", "Condition")

type _Idle = list[tuple[int, int]]
_TOGETHER_NS = 1_000_000  # answers that one request brings for several at once


def pools_of_queues(facts: Facts) -> Iterator[tuple[ThreadPool, list[Job]]]:
    """The threads that take from one queue, and the requests that somebody waited for."""
    answered = LongWaits.of(facts).answered_by("thread", _ANSWERS)
    if not answered:
        return
    for _, threads, idle in takers_of_queues(facts, JOBS):
        jobs = [
            job
            for thread in threads
            for job in _jobs(thread, answered.get(thread, []), idle[thread], set(threads))
        ]
        if jobs:
            jobs.sort(key=lambda job: (job.began_ns, job.thread))
            yield ThreadPool(stem(facts.model.thread_names[threads[0]]), threads), jobs


def takers_of_queues(
    facts: Facts, names: tuple[str, ...] = GETS
) -> Iterator[tuple[int, tuple[int, ...], dict[int, _Idle]]]:
    """By lock of a queue the threads that waited for its items, and by thread from when to
    when."""
    model, table, trace = facts.model, facts.model.states, facts.model.trace
    known = facts.jobs.pool_of
    called = {name for name in {*table.lock_name}
              if trace.text(name).rpartition(": ")[2] in names}  # fmt: skip
    for lock, name in enumerate(table.lock_name if called else ()):
        if name not in called:
            continue
        rows, starts, ends = facts.ledger.waits_for(lock)
        if any(table.state[row] & STATE_MASK == TASK_WAIT for row in rows):
            continue
        idle: dict[int, _Idle] = defaultdict(list)
        for row, start_ns, end_ns in zip(rows, starts, ends, strict=True):
            idle[table.who[row]].append((start_ns, end_ns))
        alike = {stem(model.thread_names[thread]) for thread in idle}
        if len(alike) == 1 and not any(thread in known for thread in idle):
            yield lock, tuple(sorted(idle)), idle


def _jobs(thread: int, answered: list[Wait], idle: _Idle, takers: set[int]) -> Iterator[Job]:
    """From the end of the request before, or of the wait for one, to the answer."""
    before, began = 0, 0
    for wait in answered:
        if wait.who[0] == "thread" and wait.who[1] in takers:
            continue
        at, ended = bisect_right(idle, (wait.end_ns, 0)) - 1, wait.end_ns
        if at >= 0 and idle[at][1] > wait.end_ns:  # it waits again before its caller runs
            ended, at = idle[at][0], at - 1
        got_ns = idle[at][1] if at >= 0 else 0
        is_more = got_ns <= before and ended - before <= _TOGETHER_NS
        began = max(wait.start_ns, began if is_more else max(before, got_ns))
        ended, name = max(ended, began), place_of(wait.site).function
        yield Job(0, thread, wait.start_ns, began, ended, name, "", wait.who)
        before = ended
