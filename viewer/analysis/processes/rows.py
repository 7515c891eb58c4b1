"""The tables of processes and of their pools."""

from collections import Counter
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.endings import How, end_of
from viewer.analysis.processes.family import Family, Member
from viewer.analysis.processes.jobs import Job, Jobs, Pool
from viewer.analysis.rows import Rows
from viewer.analysis.spread import Spread, spread_of
from viewer.analysis.threads import ThreadRow
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


def process_rows(model: Model, threads: Rows[ThreadRow]) -> tuple[ProcessRow, ...]:
    """One row for each recorded process, in the order in which they began."""
    family, ran = Family.of(model), dict[int, list[Job]]()
    for job in Jobs.of(model).all:
        ran.setdefault(job.worker, []).append(job)
    computed, waited = Counter[int](), Counter[int]()
    if threads:
        for sums, states in ((computed, (s.RUNNING, s.NATIVE)), (waited, (s.GIL_WAIT,))):
            for measure in map(threads.measure, states):
                for process, ns in zip(model.thread_process, measure, strict=True):
                    if ns:
                        sums[process] += ns
    gc = Counter[int]()
    for one in model.collections:
        gc[one.process] += one.end_ns - one.start_ns
    counts = Counter(model.thread_process), Counter(model.owners.task_process)
    return tuple(
        _row(
            model,
            member,
            computed[i],
            waited[i],
            counts[0][i],
            counts[1][i],
            gc[i],
            ran.get(i, []),
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
    jobs: list[Job],
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
        len(jobs),
        sum(job.ran_ns for job in jobs),
    )


def job_rows(model: Model) -> tuple[JobRow, ...]:
    """One row for each pool and function, the one that ran longest first."""
    rows = []
    for pool in Jobs.of(model).pools:
        groups: dict[tuple[str, str], list[Job]] = {}
        for job in pool.jobs:
            groups.setdefault((job.name, job.site), []).append(job)
        rows += [_jobs(model, pool, *key, jobs) for key, jobs in groups.items()]
    rows.sort(key=lambda row: (-row.ran.total_ns, row.pool, row.name, row.site))
    return tuple(rows)


def _jobs(model: Model, pool: Pool, name: str, site: str, jobs: list[Job]) -> JobRow:
    begun = [job for job in jobs if job.start_ns >= 0]
    return JobRow(
        pool.pool,
        pool.process,
        model.pid(pool.process),
        name,
        site,
        len({job.worker for job in begun}),
        len(jobs),
        sum(bool(job.exception) for job in jobs),
        sum(not job.is_over for job in jobs),
        spread_of([job.queued_ns for job in begun if job.submit_ns >= 0]),
        spread_of([job.ran_ns for job in begun]),
        spread_of([job.returned_ns for job in begun if job.received_ns >= 0]),
        sum([job.sent_bytes for job in jobs if job.sent_bytes > 0]),
        sum([job.result_bytes for job in jobs if job.result_bytes > 0]),
    )
