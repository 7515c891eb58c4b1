"""The pools of processes, and their jobs in the form of those of threads."""

from array import array
from collections.abc import Callable, Container, Iterable, Iterator

from tracer.units import MS
from viewer.analysis.findings.basis.facts import LOST_NS, Facts
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.jobs import Job, ThreadPool
from viewer.analysis.processes.family import Family
from viewer.analysis.processes.jobs import Jobs
from viewer.trace.columns import LOOP_TASK, Column, records
from viewer.trace.sites import is_library
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
        alone = _one_caller(facts, engine.take(of.thread, rows, -1), kind_of)
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
            _who_submitted(facts, engine.take(of.thread, rows, -1), submitted),
        )
        name = next((one.name for one in members.values() if one is not None), "")
        if jobs:
            yield ThreadPool(stem(name), tuple({*on})), jobs


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
