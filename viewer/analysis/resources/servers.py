"""Threads and tasks that serve others in turn: whom they answered, and when each had its turn.

Somebody waits for the answer to each request, which they take from a queue, or as it comes.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import NamedTuple

from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.jobs import Job, ThreadPool
from viewer.analysis.resources.answers import Answers, Idle, asked, takes
from viewer.analysis.resources.reading import Reading
from viewer.analysis.resources.waits import GETS, Wait, Waits
from viewer.trace.columns import STATE_MASK, TASK_WAIT
from viewer.trace.sites import place_of
from viewer.words import stem, stems

# In what workers wait for the next job; a list of jobs has a condition.
JOBS = (*GETS, "Condition.wait", "Condition")
LEAST = 8  # answers, or requests, tell one who serves
_TOGETHER_NS = 1_000_000  # answers that one request brings for several at once


class Turn(NamedTuple):
    """`by` worked on what somebody waited for from `began_ns` on. `is_more`: the answer came
    with the one before."""

    wait: Wait
    by: Who
    began_ns: int
    ended_ns: int
    is_more: bool

    @property
    def queued_ns(self) -> int:
        return self.began_ns - self.wait.start_ns

    @property
    def served_ns(self) -> int:
        return self.ended_ns - self.began_ns


def _turns(
    by: Who, answered: list[Wait], idle: Idle, peers: Collection[Who]
) -> Iterator[Turn]:
    """Of each wait that it answered, in order of their ends, from the end of the request
    before, or of its wait for one, to the answer. Its peers ask for no answer."""
    before, began = 0, 0
    for wait in answered:
        if wait.who in peers:
            continue
        at, ended = bisect_right(idle, (wait.end_ns, 0)) - 1, wait.end_ns
        if at >= 0 and idle[at][1] > wait.end_ns:  # it waits again before its caller runs
            ended, at = idle[at][0], at - 1
        got_ns = idle[at][1] if at >= 0 else 0
        is_more = got_ns <= before and ended - before <= _TOGETHER_NS
        began = max(wait.start_ns, began if is_more else max(before, got_ns))
        ended = max(ended, began)
        yield Turn(wait, by, began, ended, is_more)
        before = ended


# Threads ------------------------------------------------------------------------------------


def pools_of_answers(waits: Waits) -> Iterator[tuple[ThreadPool, list[Job]]]:
    """The threads that take from one queue, or from those who wait for their answers; and the
    requests that somebody waited for: these are jobs, as those of an executor are."""
    answered = {
        who[1]: ended for who, ended in Answers.of(waits).items() if who[0] == "thread"
    }
    if not answered:
        return
    known = set[int]()
    for lock, threads in takers_of_queues(waits.reading, JOBS):
        known.update(threads)
        yield from _pool(waits, threads, answered, _idle_of(waits.reading, lock))
    alike = defaultdict[tuple[int, str], dict[int, Idle]](dict)
    pools = waits.reading.jobs.pool_of
    for thread in answered.keys() - known - pools.keys():
        ended = answered[thread]
        if len(ended) >= LEAST and (idle_of := asked(waits, ("thread", thread), ended)):
            of = waits.model.thread_process[thread], stem(waits.model.thread_names[thread])
            alike[of][thread] = idle_of
    for idle in alike.values():
        yield from _pool(waits, tuple(sorted(idle)), answered, idle)


def _pool(
    waits: Waits,
    threads: tuple[int, ...],
    answered: dict[int, list[Wait]],
    idle: dict[int, Idle],
) -> Iterator[tuple[ThreadPool, list[Job]]]:
    peers: set[Who] = {("thread", thread) for thread in threads}
    jobs = [
        Job(
            0, thread, turn.wait.start_ns, turn.began_ns, turn.ended_ns,
            place_of(turn.wait.site).function, "", turn.wait.who,
        )
        for thread in threads
        for turn in _turns(("thread", thread), answered.get(thread, []), idle[thread], peers)
    ]  # fmt: skip
    if jobs:
        jobs.sort(key=lambda job: (job.began_ns, job.thread))
        yield ThreadPool(stem(waits.model.thread_names[threads[0]]), threads), jobs


def takers_of_queues(
    reading: Reading, names: tuple[str, ...] = GETS
) -> Iterator[tuple[int, tuple[int, ...]]]:
    """By lock of a queue the threads that waited for its items."""
    model, table, trace = reading.model, reading.model.states, reading.model.trace
    pools, waits = reading.jobs.pool_of.keys(), reading.ledger.waits_of_locks
    called = {name for name in {*table.lock_name}
              if trace.text(name).rpartition(": ")[2] in names}  # fmt: skip
    likes = stems(model.thread_names) if called else []
    for lock, name in enumerate(table.lock_name if called else ()):
        codes = {*waits.codes(lock)} if name in called else set[int]()
        if not codes or any(code & STATE_MASK == TASK_WAIT for code in codes):
            continue
        threads = {*trace.engine.take(table.who, waits.of(lock), -1)}
        if len({likes[thread] for thread in threads}) == 1 and threads.isdisjoint(pools):
            yield lock, tuple(sorted(threads))


def _idle_of(reading: Reading, lock: int) -> dict[int, Idle]:
    """By thread from when to when it waited for an item of a queue."""
    who, found = reading.model.states.who, defaultdict[int, Idle](list)
    for row, start_ns, end_ns in zip(*reading.ledger.waits_for(lock), strict=True):
        found[who[row]].append((start_ns, end_ns))
    return found


# Tasks --------------------------------------------------------------------------------------


class Serving(NamedTuple):
    """Tasks of one function that serve others: what each awaited, when it was idle, and whose
    turn it was."""

    awaits: dict[int, list[int]]
    idle: list[Idle]
    turns: list[Turn]


def serving_tasks(waits: Waits, lost_ns: int) -> Iterator[Serving]:
    """Tasks that take from a queue, or from those whom they answer, who lost so much."""
    owned, alike = waits.model.owners, defaultdict[tuple[int, int], list[int]](list)
    answered = {
        who[1]: ended
        for who, ended in Answers.of(waits).items()
        if who[0] == "task"
        and len(ended) >= LEAST
        and sum(wait.ns for wait in ended) >= lost_ns
    }
    awaits = {task: waits.reading.awaits_of_task(task) for task in answered}
    idle = {
        task: takes(waits, awaits[task]) or asked(waits, ("task", task), answered[task])
        for task in answered
    }
    for task in answered:
        if idle[task]:
            alike[owned.task_process[task], owned.task_group[task]].append(task)
    for tasks in alike.values():
        turns = [
            turn
            for task in tasks
            for turn in _turns(("task", task), answered[task], idle[task], ())
            if not turn.is_more
        ]
        yield Serving(
            {task: awaits[task] for task in tasks}, [idle[task] for task in tasks], turns
        )
