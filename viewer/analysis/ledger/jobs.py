"""Jobs of thread pools: who submitted each, when a worker began it, and when it was done.

A pool is a resource with as many slots as workers: a job waits from `submitted_ns` to
`began_ns`, and has a slot from then to `ended_ns`.
"""

import re
from collections import defaultdict
from functools import cached_property
from itertools import compress
from operator import attrgetter, not_
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.holders import WORKER_IDLE
from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.states import marks, numbers
from viewer.trace.columns import IDLE_WAIT, LARGEST, LOOP_TASK, STATE_MASK, records
from viewer.trace.told import Told

_NUMBERED = re.compile(r"[-_]?\d+( \(\d+\))?$")
# Twisted's workers have a queue each, which the pool fills: names alone tell whose they are.
_OWN_QUEUES = "PoolThread-"


class Job(NamedTuple):
    """`submitted_ns` is the latest moment at which it can have been submitted."""

    pool: int
    thread: int
    submitted_ns: int
    began_ns: int
    ended_ns: int
    name: str
    site: str
    submitter: Who | None

    @property
    def queued_ns(self) -> int:
        return self.began_ns - self.submitted_ns

    @property
    def ran_ns(self) -> int:
        return self.ended_ns - self.began_ns


class ThreadPool(NamedTuple):
    """The workers that share a queue. `end_ns`: when the last one ends."""

    name: str
    threads: tuple[int, ...]


class Submitted(NamedTuple):
    """A job that no worker began: when, and by which thread."""

    at_ns: int
    thread: int


class Jobs:
    """All jobs of a trace, in order of their begin, and the pools that ran them."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.model = ledger, ledger.model
        trace = self.model.trace
        self._runs: dict[int, list[int]] = defaultdict(list)  # by thread: events
        runs, take = trace.instants(trace.events.name, s.RUN), trace.engine.take
        tracks = take(trace.events.track, runs, -1)
        for event, thread in zip(runs, take(ledger.thread_of_track, tracks, -1), strict=True):
            if thread >= 0:
                self._runs[thread].append(event)
        self._idle = self._find_idle()
        self.pools: list[ThreadPool] = []
        self.pool_of: dict[int, int] = {}
        self._find_pools()
        self.all = self._find_jobs() if self._runs else []

    def _find_idle(self) -> dict[int, list[tuple[int, int]]]:
        """By worker (begin, lock) of the times at which it looks for work, in their order."""
        trace, table = self.model.trace, self.model.states
        found: dict[int, list[tuple[int, int]]] = {thread: [] for thread in self._runs}
        looks = trace.symbol(WORKER_IDLE)
        if not found or looks < 0:
            return found
        engine = trace.engine
        idle = marks(self.model, lambda state: int(state & STATE_MASK == IDLE_WAIT))
        rows = engine.longer(table.start_ns, table.end_ns, idle, 0)
        columns = (table.who, table.start_ns, table.row, table.slice)
        who, start_ns, locks, slices = (engine.take(column, rows, -1) for column in columns)
        names = engine.gather(slices, trace.slices.event, trace.events.name)
        for name, thread, start, lock in zip(names, who, start_ns, locks, strict=True):
            if name == looks and thread in found:
                found[thread].append((start, lock))
        return found

    def _find_pools(self) -> None:
        model, members = self.model, defaultdict[tuple[int, str, int], list[int]](list)
        queues = defaultdict[tuple[int, str], set[int]](set)
        for thread, idle in self._idle.items():
            of = model.thread_process[thread], self._prefix(thread)
            queues[of].update(lock for _, lock in idle[:1])
        for thread, idle in self._idle.items():
            of = model.thread_process[thread], self._prefix(thread)
            only = next(iter(queues[of])) if len(queues[of]) == 1 else -1
            queue = idle[0][1] if idle else only
            members[*of, -1 if of[1].startswith(_OWN_QUEUES) else queue].append(thread)
        for (_, name, _), threads in members.items():
            for thread in threads:
                self.pool_of[thread] = len(self.pools)
            self.pools.append(ThreadPool(name, tuple(threads)))

    def _prefix(self, thread: int) -> str:
        return _NUMBERED.sub("", self.model.threads[thread].thread_name)

    def _find_jobs(self) -> list[Job]:
        trace, take = self.model.trace, self.model.trace.engine.take
        events = [event for runs in self._runs.values() for event in runs]
        threads = [thread for thread, runs in self._runs.items() for _ in runs]
        source_of = self._sources
        told = Told(trace, events, [-1] * len(events))
        known = numbers(source_of.get(event, -1) for event in events)
        began_ns, sent_ns = (
            take(trace.events.time_ns, at, 0).tolist() for at in (told.events, known)
        )
        senders = take(self.ledger.thread_of_track, take(trace.events.track, known, -1), -1)
        submitted_ns = [*map(min, sent_ns, began_ns)]
        of_sender: dict[int, Who] = {thread: ("thread", thread) for thread in {*senders}}
        submitters: list[Who | None] = [*map(of_sender.__getitem__, senders)]
        for n in [n for n, sender in enumerate(senders) if sender < 0]:
            submitters[n], submitted_ns[n] = self._submitter(known[n], began_ns[n])
        jobs = records(
            Job,
            map(self.pool_of.__getitem__, threads),
            threads,
            submitted_ns,
            began_ns,
            self._ends_ns(began_ns),
            told.texts(s.ARG_NAME),
            told.texts(s.ARG_SITE),
            submitters,
        )
        jobs.sort(key=attrgetter("began_ns", "thread"))
        return jobs

    def _ends_ns(self, began_ns: list[int]) -> list[int]:
        """A job ends when its worker begins the next one, or looks for work."""
        found, low = list[int](), 0
        for thread, runs in self._runs.items():
            begins = began_ns[low : low + len(runs)]
            low += len(runs)
            last_ns, at = self.model.states.last_ns[thread], 0
            idle = [*(start for start, _ in self._idle[thread]), LARGEST]
            for began, end in zip(begins, (*begins[1:], last_ns), strict=True):
                while idle[at] <= began:
                    at += 1
                found.append(max(min(end, idle[at]), began))
        return found

    @cached_property
    def of_thread(self) -> dict[int, list[Job]]:
        """By worker its jobs, in order of time."""
        found: dict[int, list[Job]] = defaultdict(list)
        for job in self.all:
            found[job.thread].append(job)
        return found

    @cached_property
    def of_submitter(self) -> dict[Who, list[Job]]:
        """By who submitted them, in order of their begin."""
        found: dict[Who, list[Job]] = defaultdict(list)
        for job in self.all:
            if job.submitter is not None:
                found[job.submitter].append(job)
        return found

    @cached_property
    def _sources(self) -> dict[int, int]:
        """By `run` the event that submitted the job."""
        events = self.model.trace.events
        known = {event for found in self._runs.values() for event in found}
        ends = compress(zip(events.flow_event, events.flow_id, strict=True), events.flow_end)
        runs = {flow: event for event, flow in ends if event in known}
        columns = zip(events.flow_id, events.flow_event, events.flow_end, strict=True)
        return {
            runs[flow]: event for flow, event, is_end in columns if not is_end and flow in runs
        }

    def _submitter(self, source: int, began_ns: int) -> tuple[Who | None, int]:
        """Who submitted a job that no thread did, and the latest time at which that was."""
        if source < 0:
            return None, began_ns
        model, ledger = self.model, self.ledger
        events, at_ns = model.trace.events, model.trace.events.time_ns[source]
        i = ledger.slice_at(source)
        if i >= 0 and ledger.task_of_slice[i] >= 0:  # at some time in this step
            return ("task", ledger.task_of_slice[i]), min(
                model.trace.slices.end_ns[i], began_ns
            )
        if i >= 0:
            return None, min(model.trace.slices.end_ns[i], began_ns)
        loop = model.track_lane[events.track[source]]
        lane = ledger.lane_of_loop[loop] if loop >= 0 else -1
        step = ledger.loops_without_gc.row_at(lane, at_ns) if lane >= 0 else -1
        if 0 <= step < len(model.lane) and model.owners.kind[step] == LOOP_TASK:
            return ("task", model.owners.owner[step]), min(at_ns, began_ns)
        return None, min(at_ns, began_ns)

    @cached_property
    def never_begun(self) -> list[Submitted]:
        """Jobs that threads submitted and no worker began."""
        trace, take = self.model.trace, self.model.trace.engine.take
        events, begun = trace.events, set(self._sources.values())
        arrows = {*compress(events.flow_event, map(not_, events.flow_end))}
        submits = trace.instants(events.name, s.SUBMIT)
        of_processes = trace.symbol(s.CAT_JOB)
        columns = (events.category, events.time_ns, events.track)
        categories, times_ns, tracks = (take(column, submits, -1) for column in columns)
        threads = take(self.ledger.thread_of_track, tracks, -1)
        rows = zip(submits, categories, times_ns, threads, strict=True)
        return [
            Submitted(at_ns, thread)
            for event, category, at_ns, thread in rows
            if (category != of_processes or category < 0)
            and event in arrows
            and event not in begun
        ]
