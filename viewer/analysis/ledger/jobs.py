"""Jobs of thread pools: who submitted each, when a worker began it, and when it was done.

A pool is a resource with as many slots as workers: a job waits from `submitted_ns` to
`began_ns`, and has a slot from then to `ended_ns`.
"""

import re
from bisect import bisect_right
from collections import defaultdict
from functools import cached_property
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.holders import WORKER_IDLE
from viewer.analysis.ledger.ledger import Ledger
from viewer.trace.columns import IDLE_WAIT, LOOP_TASK, STATE_MASK

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
        for event in trace.instants(trace.events.name, s.RUN):
            thread = ledger.thread_of_track[trace.events.track[event]]
            if thread >= 0:
                self._runs[thread].append(event)
        self._idle = {thread: self._idle_of(thread) for thread in self._runs}
        self.pools: list[ThreadPool] = []
        self.pool_of: dict[int, int] = {}
        self._find_pools()
        self.all = self._find_jobs() if self._runs else []

    def _idle_of(self, thread: int) -> list[tuple[int, int]]:
        """(begin, lock) of the times at which a worker looks for work."""
        model, rows = self.model, self.ledger.rows_of_threads
        table, trace = model.states, model.trace
        found = []
        for at in range(rows.offset[thread], rows.offset[thread + 1]):
            row = rows.row[at]
            if table.state[row] & STATE_MASK == IDLE_WAIT:
                event = trace.slices.event[table.slice[row]]
                if trace.text(trace.events.name[event]) == WORKER_IDLE:
                    found.append((table.start_ns[row], table.row[row]))
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
        trace, table = self.model.trace, self.model.states
        events, sources = trace.events, self._sources
        found = []
        for thread, runs in self._runs.items():
            idle = [start for start, _ in self._idle[thread]]
            begins = [events.time_ns[event] for event in runs]
            for n, event in enumerate(runs):
                began = begins[n]
                end = begins[n + 1] if n + 1 < len(runs) else table.last_ns[thread]
                at = bisect_right(idle, began)
                end = min(end, idle[at]) if at < len(idle) else end
                who, submitted = self._submitter(sources.get(event, -1), began)
                args = trace.args(event)
                name, site = str(args.get(s.ARG_NAME, "")), str(args.get(s.ARG_SITE, ""))
                pool = self.pool_of[thread]
                found.append(
                    Job(pool, thread, submitted, began, max(end, began), name, site, who)
                )
        found.sort(key=lambda job: (job.began_ns, job.thread))
        return found

    @cached_property
    def of_thread(self) -> dict[int, list[Job]]:
        """By worker its jobs, in order of time."""
        found: dict[int, list[Job]] = defaultdict(list)
        for job in self.all:
            found[job.thread].append(job)
        return found

    @cached_property
    def _sources(self) -> dict[int, int]:
        """By `run` the event that submitted the job."""
        flows, events = self.ledger.flows, self.model.trace.events
        runs = {
            flow: event
            for found in self._runs.values()
            for event in found
            for flow, is_end in flows.at(event)
            if is_end
        }
        columns = zip(events.flow_id, events.flow_event, events.flow_end, strict=True)
        return {
            runs[flow]: event for flow, event, is_end in columns if not is_end and flow in runs
        }

    def _submitter(self, source: int, began_ns: int) -> tuple[Who | None, int]:
        """Who submitted a job, and the latest time at which that was."""
        if source < 0:
            return None, began_ns
        model, ledger = self.model, self.ledger
        events, at_ns = model.trace.events, model.trace.events.time_ns[source]
        thread = ledger.thread_of_track[events.track[source]]
        if thread >= 0:
            return ("thread", thread), min(at_ns, began_ns)
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
        trace, flows, found = self.model.trace, self.ledger.flows, list[Submitted]()
        submits = trace.instants(trace.events.name, s.SUBMIT)
        begun = set(self._sources.values())
        for event in submits:
            if trace.text(trace.events.category[event]) == s.CAT_JOB:
                continue  # of a pool of processes
            if event in begun or not any(not is_end for _, is_end in flows.at(event)):
                continue
            thread = self.ledger.thread_of_track[trace.events.track[event]]
            found.append(Submitted(trace.events.time_ns[event], thread))
        return found
