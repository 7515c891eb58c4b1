"""Jobs of thread pools: who submitted each, when a worker began it, and when it was done.

A pool is a resource with as many slots as workers: a job waits from `submitted_ns` to
`began_ns`, and has a slot from then to `ended_ns`.
"""

import re
from collections import defaultdict
from functools import cached_property
from itertools import chain, repeat
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.holders import WORKER_IDLE
from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.ledger.rows import longs
from viewer.analysis.rows import in_order
from viewer.analysis.states import marks, numbers
from viewer.trace.columns import (
    IDLE_WAIT,
    LARGEST,
    LOOP_TASK,
    STATE_MASK,
    Column,
    Lanes,
    records,
)
from viewer.trace.told import Told

_NUMBERED = re.compile(r"[-_]?\d+( \(\d+\))?$")
_UNNAMED, _ALL_UNNAMED = re.compile(r"thread \d+$"), "thread N"  # gevent's workers
# Twisted's workers have a queue each, which the pool fills, and each of gevent's waits at a
# lock of its own: names alone tell whose they are.
_OWN_QUEUES = "PoolThread-", _ALL_UNNAMED


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


class _Idle(NamedTuple):
    """When a worker began to look for work, in order, and at which queue it did first."""

    starts_ns: list[int]
    queue: int


class Jobs:
    """All jobs of a trace, in order of their begin, and the pools that ran them."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.model = ledger, ledger.model
        trace = self.model.trace
        runs, take = trace.instants(trace.events.name, s.RUN), trace.engine.take
        by = take(ledger.thread_of_track, take(trace.events.track, runs, -1), -1)
        lanes = self._lanes(take(trace.events.time_ns, runs, 0), by)
        threads = dict.fromkeys(thread for thread in by if thread >= 0)
        self._runs = {thread: take(runs, lanes.of(thread), -1) for thread in threads}
        self._idle = self._find_idle()
        self.pools: list[ThreadPool] = []
        self.pool_of: dict[int, int] = {}
        self._find_pools()
        self.all = self._find_jobs() if self._runs else []

    def _lanes(self, at_ns: Column, threads: Column) -> Lanes:
        none, count = memoryview(bytes(len(threads))), len(self.model.threads)
        return self.model.trace.engine.lanes(at_ns, at_ns, none, threads, count)

    def _find_idle(self) -> dict[int, _Idle]:
        """By worker that ever looks for work."""
        trace, table = self.model.trace, self.model.states
        looks = trace.symbol(WORKER_IDLE)
        if not self._runs or looks < 0:
            return {}
        engine = trace.engine
        idle = marks(self.model, lambda state: int(state & STATE_MASK == IDLE_WAIT))
        rows = engine.longer(table.start_ns, table.end_ns, idle, 0)
        slices = engine.take(table.slice, rows, -1)
        names = engine.gather(slices, trace.slices.event, trace.events.name)
        is_look = bytearray(len(trace.events.strings))
        is_look[looks] = 1
        looking = engine.pick(engine.upto(0, len(rows)), names, memoryview(is_look))
        rows = engine.take(rows, looking, -1)
        lanes = self._lanes(
            engine.take(table.start_ns, rows, 0), engine.take(table.who, rows, -1)
        )
        return {
            thread: _Idle(
                lanes.start_ns[first:behind].tolist(), table.row[rows[lanes.row[first]]]
            )
            for thread in self._runs
            for first, behind in [lanes.offset[thread : thread + 2]]
            if first < behind
        }

    def _find_pools(self) -> None:
        model, members = self.model, defaultdict[tuple[int, str, int], list[int]](list)
        queues = defaultdict[tuple[int, str], set[int]](set)
        names, processes = model.threads.names, model.thread_process
        prefix = {
            thread: _NUMBERED.sub("", _UNNAMED.sub(_ALL_UNNAMED, names[thread]))
            for thread in self._runs
        }
        for thread, idle in self._idle.items():
            queues[processes[thread], prefix[thread]].add(idle.queue)
        for thread in self._runs:
            of = processes[thread], prefix[thread]
            only = next(iter(queues[of])) if len(queues[of]) == 1 else -1
            queue = self._idle[thread].queue if thread in self._idle else only
            members[*of, -1 if of[1].startswith(_OWN_QUEUES) else queue].append(thread)
        for (_, name, _), threads in members.items():
            for thread in threads:
                self.pool_of[thread] = len(self.pools)
            self.pools.append(ThreadPool(name, tuple(threads)))

    def _find_jobs(self) -> list[Job]:
        trace, take = self.model.trace, self.model.trace.engine.take
        events = [event for runs in self._runs.values() for event in runs]
        threads = [thread for thread, runs in self._runs.items() for _ in runs]
        source_of = self._sources
        told = Told(trace, events, [-1] * len(events))
        known = numbers(map(source_of.get, events, repeat(-1)))
        began_at, sent_at = (take(trace.events.time_ns, at, 0) for at in (told.events, known))
        began_ns, sent_ns = began_at.tolist(), sent_at.tolist()
        senders = take(self.ledger.thread_of_track, take(trace.events.track, known, -1), -1)
        submitted_ns = [*map(min, sent_ns, began_ns)]
        of_sender: dict[int, Who] = {thread: ("thread", thread) for thread in {*senders}}
        submitters: list[Who | None] = [*map(of_sender.__getitem__, senders)]
        for n in [n for n, sender in enumerate(senders) if sender < 0]:
            submitters[n], submitted_ns[n] = self._submitter(known[n], began_ns[n])
        order = in_order(range(len(events)), (began_at, False), (longs(threads), False))
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
        return [*map(jobs.__getitem__, order)]

    def _ends_ns(self, began_ns: list[int]) -> list[int]:
        """A job ends when its worker begins the next one, or looks for work."""
        found, low = list[int](), 0
        for thread, runs in self._runs.items():
            begins = began_ns[low : low + len(runs)]
            low += len(runs)
            last_ns, at = self.model.states.last_ns[thread], 0
            idle = [*(self._idle[thread].starts_ns if thread in self._idle else ()), LARGEST]
            looks = idle[0]
            for began, end in zip(begins, (*begins[1:], last_ns), strict=True):
                while looks <= began:
                    at += 1
                    looks = idle[at]
                found.append(looks if looks < end else end if began < end else began)
        return found

    @cached_property
    def of_pool(self) -> dict[int, list[Job]]:
        """By pool its jobs, in order of their begin."""
        found: dict[int, list[Job]] = defaultdict(list)
        for job in self.all:
            found[job.pool].append(job)
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
        ids, events = self.model.trace.events.flow_id, self.model.trace.events.flow_event
        take, known = (
            self.model.trace.engine.take,
            bytearray(len(self.model.trace.events.type)),
        )
        for event in chain.from_iterable(self._runs.values()):
            known[event] = 1
        begins, ends = self._arrows
        ends = self.model.trace.engine.pick(ends, events, memoryview(known))
        runs = dict(zip(take(ids, ends, 0), take(events, ends, -1), strict=True))
        of = zip(map(runs.get, take(ids, begins, 0)), take(events, begins, -1), strict=True)
        return {run: event for run, event in of if run is not None}

    @cached_property
    def _arrows(self) -> tuple[Column, Column]:
        """The rows of arrows at which one begins, and at which one ends."""
        ends, engine = self.model.trace.events.flow_end, self.model.trace.engine
        nothing = memoryview(bytes(8 * len(ends))).cast("q")
        is_begin = memoryview(bytes(ends).translate(b"\1" + bytes(255)))
        begins, over = (engine.longer(nothing, nothing, mark, 0) for mark in (is_begin, ends))
        return begins, over

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
        events, begun = trace.events, {*self._sources.values()}
        of_processes, submits = trace.symbol(s.CAT_JOB), trace.instants(events.name, s.SUBMIT)
        left = [event for event in submits if event not in begun]
        if of_processes >= 0:
            left = [event for event in left if events.category[event] != of_processes]
        begins = {*take(events.flow_event, self._arrows[0], -1)} if left else set[int]()
        left = [event for event in left if event in begins]
        times_ns, tracks = (
            take(column, numbers(left), -1) for column in (events.time_ns, events.track)
        )
        return records(Submitted, times_ns, take(self.ledger.thread_of_track, tracks, -1))
