"""Jobs in the form of those of thread pools: of pools of processes, and of connections that
have a thread of their own, which does what tasks ask for in turn."""

from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator

from tracer.units import MS
from viewer.analysis.findings.basis.databases import sqlite_calls
from viewer.analysis.findings.basis.facts import LOST_NS, Facts
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.jobs import Job, ThreadPool
from viewer.analysis.processes.family import Family
from viewer.analysis.processes.jobs import Jobs
from viewer.analysis.resources.reading import awaits_of
from viewer.trace.columns import LOOP_TASK, Column, records
from viewer.trace.sites import is_library, place_of
from viewer.words import stem

# A queue in front of a pool is what a pool is for. It costs when calls of several callers lost
# half a second in it, and waited longer than they then took.
NOTICED_NS = 5 * MS


def of_processes(
    facts: Facts, collectors: Callable[[], Container[Who]]
) -> Iterator[tuple[ThreadPool, list[Job]]]:
    """The pools of processes and their jobs; each worker is its process's main thread. Those
    of a single batch wait for nobody else."""
    family, found = Family.of(facts.model), Jobs.of(facts.model)
    engine = facts.model.trace.engine
    for pool in found.pools:
        queued = engine.take(pool.each_queued_ns, pool.begun, 0)
        if sum(ns for ns in queued if ns >= NOTICED_NS) < LOST_NS:
            continue
        members = {worker: family.members.get(worker) for worker in pool.workers}
        main = {worker: one.main for worker, one in members.items() if one is not None}
        of, by_worker = pool.columns, array("i", [-1]) * (max(pool.workers, default=-1) + 1)
        for worker, thread in main.items():
            by_worker[worker] = thread
        threads = engine.take(memoryview(by_worker), of.worker, -1)
        rows = engine.known(of.submit_ns, of.start_ns)
        rows = engine.pick(rows, threads, memoryview(b"\1" * (engine.bounds(threads)[1] + 1)))
        kind_of = engine.take(of.kind, rows, -1)
        threads_of = engine.take(of.thread, rows, -1)
        if _is_of_one(threads_of, {*of.sender, *of.receiver}):
            continue
        alone = _one_caller(facts, threads_of, kind_of)
        if alone is not None and not is_of_library(found.kinds[kind_of[0]][1]):
            since = engine.take(of.submit_ns, rows, -1)
            one = memoryview(bytes(4 * len(rows))).cast("i")
            at_once = not engine.gaps(since, since, one, 1, NOTICED_NS).key
            if at_once and alone not in collectors():
                continue
        on, submitted, began, ended, kinds = (
            engine.take(column, rows, -1).tolist()
            for column in (threads, of.submit_ns, of.start_ns, of.end_ns, of.kind)
        )
        names, sites = ([kind[n] for kind in found.kinds] for n in (0, 1))
        jobs = records(
            Job,
            [-1] * len(on),
            on,
            submitted,
            began,
            ended,
            map(names.__getitem__, kinds),
            map(sites.__getitem__, kinds),
            _who_submitted(facts, threads_of, submitted),
        )
        name = next((one.name for one in members.values() if one is not None), "")
        if jobs:
            yield ThreadPool(stem(name), tuple({*on})), jobs


def _is_of_one(threads: Column, own: set[int]) -> bool:
    """Whether the pool's own threads, which send jobs or read results, submit what its only
    caller has for it: the items of an `imap`, or the next job once one is done."""
    callers = {*threads}
    return not callers.isdisjoint(own) and len(callers - own) == 1


def _one_caller(facts: Facts, threads: Column, kinds: Column) -> Who | None:
    """The thread that submitted all of these jobs, which are of one function; else None."""
    engine = facts.model.trace.engine
    (thread, other), (kind, another) = engine.bounds(threads), engine.bounds(kinds)
    if thread != other or kind != another or thread in facts.ledger.lane_of_thread:
        return None
    return ("thread", thread) if thread >= 0 else None


def _who_submitted(facts: Facts, threads: Column, times_ns: list[int]) -> Iterable[Who | None]:
    """Of each the task in whose step a thread submitted it, else the thread."""
    whos: dict[int, Who | None] = {thread: ("thread", thread) for thread in {*threads}}
    whos[-1] = None
    if whos.keys().isdisjoint(facts.ledger.lane_of_thread):
        return map(whos.__getitem__, threads)
    steps = map(facts.on_loop_at, threads, times_ns)
    owned = facts.model.owners
    return (
        ("task", owned.owner[step])
        if step >= 0 and owned.kind[step] == LOOP_TASK
        else whos[thread]
        for thread, step in zip(threads, steps, strict=True)
    )


def is_of_library(site: str) -> bool:
    """Whether a library's function runs a job, or an unknown one."""
    return not site or is_library(site)


_ASKS = "await executor (aiosqlite)"
_ACROSS = 200  # awaits that may be under way at once
_NOTICED_NS = 5_000_000


def pools_of_connections(facts: Facts) -> Iterator[tuple[ThreadPool, list[Job]]]:
    """The thread of aiosqlite's only connection in a process, and the calls of tasks.

    Short calls count as if they took no time: they ended when the task went on.
    """
    model, slices, owned = facts.model, facts.model.trace.slices, facts.model.owners
    awaits = awaits_of(facts, _ASKS)
    if not awaits:
        return
    by_process = defaultdict[int, list[int]](list)
    for i in awaits:
        by_process[owned.task_process[owned.owner[i]]].append(i)
    calls = defaultdict[int, set[tuple[int, int]]](set)  # by thread
    for (kind, _), own in sqlite_calls(facts).items():
        for call in own if kind == "task" else ():
            if call.ns >= _NOTICED_NS:
                calls[call.thread].add((call.start_ns, call.end_ns))
    for process, found in by_process.items():
        threads = [thread for thread in calls if model.thread_process[thread] == process]
        if len(threads) != 1:
            continue
        did = _asked(facts, found, sorted(calls[threads[0]]))
        jobs = []
        for i in found:
            site, end_ns = facts.awaited(i)[1], slices.end_ns[i]
            began, ended = did.get(i, (end_ns, end_ns))
            name, by = place_of(site).function, ("task", owned.owner[i])
            jobs.append(Job(0, threads[0], slices.start_ns[i], began, ended, name, site, by))
        jobs.sort(key=lambda job: job.began_ns)
        yield ThreadPool("aiosqlite", (threads[0],)), jobs


def _asked(
    facts: Facts, awaits: list[int], calls: list[tuple[int, int]]
) -> dict[int, tuple[int, int]]:
    """By await the call that was made for it: the task goes on as soon as that is over."""
    slices, found = facts.model.trace.slices, dict[int, tuple[int, int]]()
    starts = [slices.start_ns[i] for i in awaits]
    for start_ns, end_ns in calls:
        last = bisect_left(starts, start_ns)
        under_way = [
            i for i in awaits[max(last - _ACROSS, 0) : last] if slices.end_ns[i] >= end_ns
        ]
        if under_way:
            found[min(under_way, key=slices.end_ns.__getitem__)] = start_ns, end_ns
    return found
