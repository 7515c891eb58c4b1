"""The jobs of pools of processes: submitted, queued, run in a child, given back.

A pool is known by the pipe of its calls and a job by its number; both are the same in all
processes, so no arrow has to be followed.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from tracer import schema as s
from viewer.analysis.processes.told import NEVER, Columns, Found
from viewer.analysis.rows import Rows
from viewer.analysis.states import numbered
from viewer.trace.columns import Column
from viewer.trace.engine import Engine
from viewer.trace.model import Model
from viewer.trace.sites import head


@dataclass(slots=True)
class Job:
    """One job. Times are NEVER, threads and processes -1, sizes -1 where the trace has none.

    In order: `submit_ns`, `sent_ns` into the pipe, `start_ns` and `end_ns` in the worker,
    `result_ns` sent back, `received_ns`. Lengths are 0 where the trace has not both ends.
    """

    pool: int
    number: int
    name: str = ""
    site: str = ""
    process: int = -1  # that submitted it
    thread: int = -1
    worker: int = -1  # the process that ran it
    receiver: int = -1  # the thread that read the result
    submit_ns: int = NEVER
    sent_ns: int = NEVER
    start_ns: int = NEVER
    end_ns: int = NEVER
    result_ns: int = NEVER
    received_ns: int = NEVER
    sent_bytes: int = -1
    result_bytes: int = -1
    pickled_ns: int = 0  # how long pickling it took
    exception: str = ""
    is_over: bool = False  # its slice has an end
    queued_ns: int = 0  # from submit until it began
    ran_ns: int = 0
    returned_ns: int = 0  # from its end until the result was there


class Pool:
    """The jobs of a pool, in order of submission, and the processes that ran any."""

    def __init__(self, engine: Engine, columns: Columns, jobs: Rows[Job]) -> None:
        self._engine, self.columns, self.jobs = engine, columns, jobs
        self.pool = int(columns.pool[0])
        self.process = engine.bounds(columns.process)[1]

    @cached_property
    def workers(self) -> list[int]:
        found = self.columns.worker
        return self._engine.distinct(found, self._engine.bounds(found)[1] + 1).tolist()

    @cached_property
    def begun(self) -> Column:
        """The rows of the jobs that a worker began."""
        return self._engine.known(self.columns.start_ns, self.columns.start_ns)

    @cached_property
    def each_ran_ns(self) -> Column:
        return self._engine.between(self.columns.start_ns, self.columns.end_ns)

    @cached_property
    def ran_ns(self) -> int:
        """How long all jobs ran."""
        return sum(self._engine.take(self.each_ran_ns, self.begun, 0))

    @cached_property
    def each_queued_ns(self) -> Column:
        return self._engine.between(self.columns.submit_ns, self.columns.start_ns)

    def begun_with_most(self, column: Column) -> Job:
        """The begun job that has most of something."""
        return self.jobs[self._engine.ranked(self.begun, column, 1)[0]]


_NUMBERS = (
    "process", "thread", "worker", "receiver", "submit_ns", "sent_ns", "start_ns", "end_ns",
    "result_ns", "received_ns", "sent_bytes", "result_bytes", "pickled_ns",
)  # fmt: skip


class Jobs:
    """All jobs of a trace."""

    def __init__(self, model: Model) -> None:
        found, trace = Found(model), model.trace
        engine, slices = trace.engine, trace.slices
        read = found.read(s.SUBMIT)
        stacks, sites = read.strings(s.ARG_STACK), read.strings(s.ARG_SITE)
        ways = numbered(engine, stacks, sites)
        read.put(
            submit_ns=read.times,
            process=read.processes,
            thread=read.threads,
            name=read.strings(s.ARG_NAME),
            way=ways.number,
        )
        read = found.read(s.JOB_SENT)
        read.put(
            sent_ns=read.times,
            sender=read.threads,
            sent_bytes=read.numbers(s.ARG_BYTES, -1),
            pickled_ns=read.numbers(s.ARG_PICKLING, 0),
        )
        read = found.read(s.RESULT_SENT)
        read.put(result_ns=read.times, result_bytes=read.numbers(s.ARG_BYTES, -1))
        read = found.read(s.RESULT_RECEIVED)
        read.put(received_ns=read.times, receiver=read.threads)
        rows, read = found.ran()
        over = bytes(engine.take(slices.unfinished, rows, 0)).translate(b"\1" + bytes(255))
        read.put(
            worker=read.processes,
            start_ns=engine.take(slices.start_ns, rows, NEVER),
            end_ns=engine.take(slices.end_ns, rows, NEVER),
            is_over=memoryview(over),
            exception=read.strings(s.ARG_EXCEPTION),
        )
        found.name_others(read.jobs, engine.take(trace.events.name, read.events, -1))
        of_way = [head(trace.text(stacks[n])) or trace.text(sites[n]) for n in ways.head]
        self.columns, self.kinds = found.columns(of_way)
        self._model = model
        self._rows = Rows[Job](range(len(self.columns.pool)), self._make)
        self.all: Sequence[Job] = self._rows
        self.pools = tuple(self._pools())

    def _pools(self) -> Iterator[Pool]:
        """The jobs of a pool stand together."""
        behind = 0
        pools = self.columns.pool
        first, last = self._model.trace.engine.bounds(pools)
        sizes = Counter(pools) if first < last else {first: len(pools)} if pools else {}
        for size in sizes.values():
            first, behind = behind, behind + size
            columns, jobs = self.columns.part(first, behind), self._rows.part(first, behind)
            yield Pool(self._model.trace.engine, columns, jobs)

    def _make(self, rows: Sequence[int]) -> Iterator[Job]:
        of, text = self.columns, self._model.trace.text
        kinds = [self.kinds[of.kind[row]] for row in rows]

        def column(name: str) -> Iterator[int]:
            return map(getattr(of, name).__getitem__, rows)

        def between(since: str, until: str) -> Iterator[int]:
            return (
                b - a if a >= 0 <= b else 0
                for a, b in zip(column(since), column(until), strict=True)
            )

        return map(
            Job,
            column("pool"),
            column("number"),
            [name for name, _ in kinds],
            [site for _, site in kinds],
            *map(column, _NUMBERS),
            map(text, column("exception")),
            map(bool, column("is_over")),
            between("submit_ns", "start_ns"),
            between("start_ns", "end_ns"),
            between("end_ns", "received_ns"),
        )

    @cached_property
    def workers(self) -> frozenset[int]:
        """The processes that ran any."""
        return frozenset(self.columns.worker) - {-1}

    @classmethod
    def of(cls, model: Model) -> Self:
        """The model's jobs, found on their first use."""
        return model.derive(cls, lambda: cls(model))
