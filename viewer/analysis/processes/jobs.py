"""The jobs of pools of processes: submitted, queued, run in a child, given back.

A pool is known by the pipe of its calls and a job by its number; both are the same in all
processes, so no arrow has to be followed.
"""

from array import array
from dataclasses import dataclass, field
from typing import Self

from tracer import schema as s
from viewer.trace.model import Model
from viewer.trace.reader import Arg, number_of
from viewer.trace.sites import head

NEVER = -1


@dataclass(slots=True)
class Job:
    """One job. Times are NEVER, threads and processes -1, sizes -1 where the trace has none.

    In order: `submit_ns`, `sent_ns` into the pipe, `start_ns` and `end_ns` in the worker,
    `result_ns` sent back, `received_ns`.
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

    @property
    def queued_ns(self) -> int:
        """From submit until it began; 0 where either is unknown."""
        return self.start_ns - self.submit_ns if self.submit_ns >= 0 <= self.start_ns else 0

    @property
    def ran_ns(self) -> int:
        return self.end_ns - self.start_ns if self.start_ns >= 0 else 0

    @property
    def returned_ns(self) -> int:
        """From its end until the result was there."""
        return self.received_ns - self.end_ns if self.received_ns >= 0 <= self.end_ns else 0


@dataclass(slots=True)
class Pool:
    """The jobs of a pool, in order of submission, and the processes that ran any."""

    pool: int
    process: int = -1
    jobs: list[Job] = field(default_factory=list)

    @property
    def workers(self) -> list[int]:
        return sorted({job.worker for job in self.jobs if job.worker >= 0})


class Jobs:
    """All jobs of a trace."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._thread_of_track = model.threads.by_uuid
        self._found: dict[tuple[int, int], Job] = {}
        for read, name in (
            (self._submitted, s.SUBMIT),
            (self._sent, s.JOB_SENT),
            (self._result, s.RESULT_SENT),
            (self._received, s.RESULT_RECEIVED),
        ):
            events = model.trace.events
            for event in model.trace.instants(events.name, name):
                if model.trace.text(events.category[event]) == s.CAT_JOB:
                    args = model.trace.args(event)
                    read(self._job(args), event, args)
        self._ran()
        pools: dict[int, Pool] = {}
        for job in sorted(self._found.values(), key=_order):
            pool = pools.setdefault(job.pool, Pool(job.pool))
            pool.jobs.append(job)
            pool.process = max(pool.process, job.process)
        self.pools = tuple(pools.values())
        self.all = tuple(job for pool in self.pools for job in pool.jobs)

    @classmethod
    def of(cls, model: Model) -> Self:
        """The model's jobs, found on their first use."""
        found = model.derived.get(cls)
        if not isinstance(found, cls):
            found = model.derived[cls] = cls(model)
        return found

    def _job(self, args: dict[str, Arg]) -> Job:
        key = number_of(args, s.ARG_POOL, -1), number_of(args, s.ARG_JOB, -1)
        job = self._found.get(key)
        if job is None:
            job = self._found[key] = Job(*key)
        return job

    def _process(self, event: int) -> int:
        return self.model.trace.track_process[self.model.trace.events.track[event]]

    def _thread(self, event: int) -> int:
        events = self.model.trace.events
        return self._thread_of_track.get(events.uuids[events.track[event]], -1)

    def _submitted(self, job: Job, event: int, args: dict[str, Arg]) -> None:
        job.submit_ns = self.model.trace.events.time_ns[event]
        job.process, job.thread = self._process(event), self._thread(event)
        job.name = str(args.get(s.ARG_NAME, ""))
        job.site = head(str(args.get(s.ARG_STACK, ""))) or str(args.get(s.ARG_SITE, ""))

    def _sent(self, job: Job, event: int, args: dict[str, Arg]) -> None:
        job.sent_ns = self.model.trace.events.time_ns[event]
        job.sent_bytes = number_of(args, s.ARG_BYTES, -1)
        job.pickled_ns = number_of(args, s.ARG_PICKLING)

    def _result(self, job: Job, event: int, args: dict[str, Arg]) -> None:
        job.result_ns = self.model.trace.events.time_ns[event]
        job.result_bytes = number_of(args, s.ARG_BYTES, -1)

    def _received(self, job: Job, event: int, _args: dict[str, Arg]) -> None:
        job.received_ns = self.model.trace.events.time_ns[event]
        job.receiver = self._thread(event)

    def _ran(self) -> None:
        """The slices on the tracks of workers' jobs."""
        trace = self.model.trace
        events, slices = trace.events, trace.slices
        jobs = trace.tracks.named(s.TRACK_JOBS)
        if not jobs:
            return
        mark = memoryview(array("i", [0]) * len(events.uuids))
        for track in jobs:
            mark[track] = 1
        for i, is_job in enumerate(trace.engine.gather(slices.event, events.track, mark)):
            if not is_job:
                continue
            event, end = slices.event[i], slices.end_event[i]
            args = (trace.args(end) if end >= 0 else {}) | trace.args(event)
            job = self._job(args)
            job.worker = self._process(event)
            job.start_ns, job.end_ns = slices.start_ns[i], slices.end_ns[i]
            job.is_over = not slices.unfinished[i]
            job.exception = str(args.get(s.ARG_EXCEPTION, ""))
            job.name = job.name or trace.text(events.name[event])


def _order(job: Job) -> tuple[int, int]:
    first = (time for time in (job.submit_ns, job.sent_ns, job.start_ns) if time >= 0)
    return next(first, 0), job.number
