"""The jobs of pools of processes: submitted, queued, run in a child, given back.

A pool is known by the pipe of its calls and a job by its number; both are the same in all
processes, so no arrow has to be followed.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from itertools import compress, count, filterfalse
from typing import Any, Self

from tracer import schema as s
from viewer.analysis.rows import in_order
from viewer.trace.model import Model
from viewer.trace.sites import head
from viewer.trace.told import Told

NEVER = -1


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


_BLANK, _FIELDS = Job(-1, -1), [each.name for each in fields(Job)]


@dataclass(slots=True)
class Pool:
    """The jobs of a pool, in order of submission, and the processes that ran any."""

    pool: int
    process: int = -1
    jobs: list[Job] = field(default_factory=list)

    @property
    def workers(self) -> list[int]:
        return sorted({job.worker for job in self.jobs if job.worker >= 0})


class _Found:
    """The jobs of a trace while they are read: a column for each field, by number."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._numbers: dict[tuple[int, int], int] = {}  # by pool and its own number
        self._keys = list[int](), list[int]()  # the same, as two columns
        self._columns: dict[str, list[Any]] = {}

    def read(self, name: str) -> "_Read":
        """The instants of that name; each tells of one job."""
        trace = self.model.trace
        of_jobs, mark = bytearray(len(trace.events.strings)), trace.symbol(s.CAT_JOB)
        if mark >= 0:
            of_jobs[mark] = 1
        named = trace.instants(trace.events.name, name)
        events = trace.engine.pick(named, trace.events.category, memoryview(of_jobs))
        return _Read(self, events, memoryview(array("i", [-1]) * len(events)))

    def ran(self) -> tuple[list[int], "_Read"]:
        """The slices on the tracks of workers' jobs."""
        trace = self.model.trace
        events, slices = trace.events, trace.slices
        jobs = trace.tracks.named(s.TRACK_JOBS)
        mark = memoryview(array("i", [0]) * len(events.uuids))
        for track in jobs:
            mark[track] = 1
        tracks = trace.engine.gather(slices.event, events.track, mark) if jobs else ()
        rows = [*compress(range(len(slices.event)), tracks)]
        begins, ends = (
            map(column.__getitem__, rows) for column in (slices.event, slices.end_event)
        )
        return rows, _Read(self, begins, ends)

    def numbered(self, pools: list[int], numbers: list[int]) -> Sequence[int]:
        """Of each event the number of its job, in order of first sight."""
        keys = pools, numbers
        if keys == self._keys:  # as most often: the same jobs, in the same order
            return range(len(numbers))
        known, pairs = self._numbers, [*zip(pools, numbers, strict=True)]
        fresh = [*filterfalse(known.__contains__, dict.fromkeys(pairs))]
        known.update(zip(fresh, count(len(known)), strict=False))
        if len(known) == len(fresh) == len(pairs):
            self._keys = keys
            return range(len(numbers))
        return [*map(known.__getitem__, pairs)]

    def put(self, name: str, jobs: Iterable[int], values: Iterable[Any]) -> None:
        """What events say of a field of these jobs; the last one counts."""
        column = self._columns.setdefault(name, [])
        column += [getattr(_BLANK, name)] * (len(self._numbers) - len(column))
        if jobs == range(len(column)):
            column[:] = values
            return
        for job, value in zip(jobs, values, strict=True):
            column[job] = value

    def name_others(self, jobs: Iterable[int], names: Iterable[int]) -> None:
        """Gives jobs without a name the text of that string."""
        self.put("name", (), ())
        column, text = self._columns["name"], self.model.trace.text
        for job, name in zip(jobs, names, strict=True):
            if not column[job]:
                column[job] = text(name)

    def jobs(self) -> list[Job]:
        """All of them, by pool in order of submission."""
        every = range(len(self._numbers))
        self.put("pool", every, [pool for pool, _ in self._numbers])
        self.put("number", every, [number for _, number in self._numbers])
        for name in _FIELDS:
            self.put(name, (), ())
        of = self._columns
        of["queued_ns"] = _between(of["submit_ns"], of["start_ns"])
        of["ran_ns"] = _between(of["start_ns"], of["end_ns"])
        of["returned_ns"] = _between(of["end_ns"], of["received_ns"])
        since = [
            submitted if submitted >= 0 else sent if sent >= 0 else max(start, 0)
            for submitted, sent, start in zip(
                of["submit_ns"], of["sent_ns"], of["start_ns"], strict=True
            )
        ]
        found = [*map(Job, *map(of.__getitem__, _FIELDS))]
        order = in_order(every, (since, False), (of["number"], False))
        return [*map(found.__getitem__, order)]


def _between(since_ns: list[int], until_ns: list[int]) -> list[int]:
    """How long from each to each; 0 where either is unknown."""
    return [
        until - since if since >= 0 <= until else 0
        for since, until in zip(since_ns, until_ns, strict=True)
    ]


class _Read(Told):
    """Events that tell of jobs, in columns."""

    def __init__(self, found: _Found, events: Iterable[int], ends: Iterable[int]) -> None:
        super().__init__(found.model.trace, events, ends)
        self._found = found
        pools, numbers = self.numbers(s.ARG_POOL, -1), self.numbers(s.ARG_JOB, -1)
        self.jobs = found.numbered(pools, numbers)

    def put(self, **columns: Iterable[Any]) -> None:
        for name, values in columns.items():
            self._found.put(name, self.jobs, values)

    @property
    def times(self) -> list[int]:
        return [*map(self._trace.events.time_ns.__getitem__, self.events)]

    @property
    def processes(self) -> list[int]:
        events, of = self._trace.events, self._trace.track_process
        return self._trace.engine.gather(self.events, events.track, of).tolist()

    @property
    def threads(self) -> list[int]:
        trace, by_track = self._trace, self._found.model.threads.of_track
        return trace.engine.gather(self.events, trace.events.track, by_track).tolist()


class Jobs:
    """All jobs of a trace."""

    def __init__(self, model: Model) -> None:
        found, trace = _Found(model), model.trace
        read = found.read(s.SUBMIT)
        ways = [*zip(read.strings(s.ARG_STACK), read.strings(s.ARG_SITE), strict=True)]
        sites = {
            way: head(trace.text(way[0])) or trace.text(way[1]) for way in dict.fromkeys(ways)
        }
        read.put(
            submit_ns=read.times,
            process=read.processes,
            thread=read.threads,
            name=read.texts(s.ARG_NAME),
            site=map(sites.__getitem__, ways),
        )
        read = found.read(s.JOB_SENT)
        read.put(
            sent_ns=read.times,
            sent_bytes=read.numbers(s.ARG_BYTES, -1),
            pickled_ns=read.numbers(s.ARG_PICKLING, 0),
        )
        read = found.read(s.RESULT_SENT)
        read.put(result_ns=read.times, result_bytes=read.numbers(s.ARG_BYTES, -1))
        read = found.read(s.RESULT_RECEIVED)
        read.put(received_ns=read.times, receiver=read.threads)
        rows, read = found.ran()
        slices, names = trace.slices, map(trace.events.name.__getitem__, read.events)
        read.put(
            worker=read.processes,
            start_ns=map(slices.start_ns.__getitem__, rows),
            end_ns=map(slices.end_ns.__getitem__, rows),
            is_over=[not slices.unfinished[row] for row in rows],
            exception=read.texts(s.ARG_EXCEPTION),
        )
        found.name_others(read.jobs, names)
        pools: dict[int, list[Job]] = defaultdict(list)
        for job in found.jobs():
            pools[job.pool].append(job)
        self.pools = tuple(
            Pool(pool, max([NEVER, *(job.process for job in jobs)]), jobs)
            for pool, jobs in pools.items()
        )
        self.all = tuple(job for pool in self.pools for job in pool.jobs)

    @classmethod
    def of(cls, model: Model) -> Self:
        """The model's jobs, found on their first use."""
        found = model.derived.get(cls)
        if not isinstance(found, cls):
            found = model.derived[cls] = cls(model)
        return found
