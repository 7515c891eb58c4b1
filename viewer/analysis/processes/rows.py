"""The tables of processes and of their pools."""

from array import array
from collections import Counter
from itertools import compress
from operator import add, not_
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.endings import How, end_of
from viewer.analysis.processes.family import Family, Member
from viewer.analysis.processes.jobs import Jobs
from viewer.analysis.spread import Spread, spread_at
from viewer.analysis.states import numbered
from viewer.analysis.threads import Measures
from viewer.trace.columns import Column, Tally
from viewer.trace.engine import Engine
from viewer.trace.model import Model


class ProcessRow(NamedTuple):
    """A process. `parent` is its number, -1 without; `status` and `signal` are None unless its
    parent was told, or its own recording says so. Times of threads are sums over its threads:
    `work_ns` is the time in which they ran Python or computed outside the GIL.
    """

    process: int
    pid: int
    name: str
    program: str
    origin: str
    parent: int
    start_ns: int
    end_ns: int
    how: How
    status: int | None
    signal: int | None
    threads: int
    tasks: int
    work_ns: int
    gil_wait_ns: int
    gc_ns: int
    jobs: int
    jobs_ns: int

    @property
    def lived_ns(self) -> int:
        return self.end_ns - self.start_ns


class JobRow(NamedTuple):
    """The jobs of one function in a pool. Sizes are sums, 0 where none is known.

    `sent` is between submit and the begin of the function: pickling, the queue, reading.
    `returned` is between its end and the moment at which the result was there.
    """

    pool: int
    process: int  # that submitted them
    pid: int
    name: str
    site: str
    workers: int
    jobs: int
    failed: int
    unfinished: int
    queued: Spread
    ran: Spread
    returned: Spread
    sent_bytes: int
    result_bytes: int


def process_rows(model: Model) -> tuple[ProcessRow, ...]:
    """One row for each recorded process, in the order in which they began."""
    family, jobs, engine = Family.of(model), Jobs.of(model).columns, model.trace.engine
    runs, states, ids = model.collections, model.states, model.owners.task_id

    def by_process(start: Column, end: Column, process: Column) -> Tally:
        one = memoryview(bytes(len(process)))
        return engine.tally(start, end, process, one, len(model.trace.processes), 1)

    spent = Measures.of_processes(model)
    computed, waited = [*map(add, spent[s.RUNNING], spent[s.NATIVE])], spent[s.GIL_WAIT]
    lives = by_process(states.first_ns, states.last_ns, model.thread_process)
    tasks = by_process(ids, ids, model.owners.task_process)
    gc = by_process(runs.start_ns, runs.end_ns, runs.process)
    ran = by_process(jobs.start_ns, jobs.end_ns, jobs.worker)
    return tuple(
        _row(
            model,
            member,
            computed[i],
            waited[i],
            lives.count[i],
            tasks.count[i],
            gc.total[i],
            ran.count[i],
            ran.total[i],
        )
        for i, member in family.members.items()
    )


def _row(
    model: Model,
    member: Member,
    computed_ns: int,
    gil_wait_ns: int,
    threads: int,
    tasks: int,
    gc_ns: int,
    jobs: int,
    jobs_ns: int,
) -> ProcessRow:
    i, told, ended = member.process, member.told, member.ended
    return ProcessRow(
        i,
        member.pid,
        member.name,
        member.program,
        member.origin,
        member.parent,
        min(member.start_ns, member.start.time_ns) if member.start else member.start_ns,
        max(member.end_ns, told.time_ns) if told else member.end_ns,
        end_of(model.trace.processes[i], model.trace.processes[i].live).how,
        ended.status if ended else None,
        ended.signal if ended else None,
        threads,
        tasks,
        computed_ns,
        gil_wait_ns,
        gc_ns,
        jobs,
        jobs_ns,
    )


def job_rows(model: Model) -> tuple[JobRow, ...]:
    """One row for each pool and function, the one that ran longest first."""
    found, engine = Jobs.of(model), model.trace.engine
    of, pools = found.columns, array("i")
    for number, pool in enumerate(found.pools):
        pools.extend(array("i", [number]) * len(pool.jobs))
    alike = engine.pairs(memoryview(pools), of.kind)
    row, count = alike.number, len(alike.head)
    begun = engine.known(of.start_ns, of.start_ns)
    of_begun = engine.take(row, begun, 0)
    each = numbered(engine, engine.take(of.worker, begun, -1), of_begun)
    workers = Counter(map(of_begun.__getitem__, each.head))
    jobs = engine.tally(of.start_ns, of.start_ns, row, _zeros("B", len(row)), count, 1).count
    failed, unfinished = Counter[int](), Counter[int]()
    if any(map(model.trace.text, {*of.exception})):
        failed = Counter(compress(row, map(model.trace.text, of.exception)))
    if 0 in bytes(of.is_over):
        unfinished = Counter(compress(row, map(not_, of.is_over)))
    queued, ran, returned = (
        _spreads(engine, since, until, row, count)
        for since, until in (
            (of.submit_ns, of.start_ns),
            (of.start_ns, of.end_ns),
            (of.end_ns, of.received_ns),
        )
    )
    sent, result = (
        _sums(engine, column, row, count) for column in (of.sent_bytes, of.result_bytes)
    )
    rows = [
        JobRow(
            found.pools[pools[first]].pool,
            found.pools[pools[first]].process,
            model.pid(found.pools[pools[first]].process),
            *found.kinds[of.kind[first]],
            workers[n],
            jobs[n],
            failed[n],
            unfinished[n],
            queued[n],
            ran[n],
            returned[n],
            sent[n],
            result[n],
        )
        for n, first in enumerate(alike.head)
    ]
    rows.sort(key=lambda row: (-row.ran.total_ns, row.pool, row.name, row.site))
    return tuple(rows)


def _zeros(form: str, count: int) -> Column:
    return memoryview(array(form, [0]) * count)


def _spreads(
    engine: Engine, since: Column, until: Column, key: Column, keys: int
) -> list[Spread]:
    """By key, of the jobs that have both times."""
    both = engine.known(since, until)
    since, until, key = (engine.take(column, both, 0) for column in (since, until, key))
    stats = engine.grouped_stats(since, until, key, keys)
    return [spread_at(stats, n) for n in range(keys)]


def _sums(engine: Engine, column: Column, key: Column, keys: int) -> Column:
    """By key the sum of what is known."""
    there = engine.known(column, column)
    values, key = (engine.take(each, there, 0) for each in (column, key))
    nothing, kinds = _zeros("q", len(there)), _zeros("B", len(there))
    return engine.tally(nothing, values, key, kinds, keys, 1).total
