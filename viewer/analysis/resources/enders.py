"""Who can end a wait: the owner of a lock, a thread's end, workers of a pool, a loop …"""

from bisect import bisect_right
from collections import defaultdict
from enum import Enum
from functools import cached_property
from typing import NamedTuple, Self

from tracer import schema as s
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.holders import Holders
from viewer.analysis.ledger.jobs import ThreadPool
from viewer.analysis.ledger.pools import pool_of
from viewer.analysis.ledger.resource import covers
from viewer.analysis.locks import ENDS
from viewer.analysis.resources.given import Births, OwnLoop
from viewer.analysis.resources.queues import ended
from viewer.analysis.resources.takers import have, passed
from viewer.analysis.resources.waits import GETS, LOCKS, PUTS, Wait, Waits
from viewer.analysis.waited import FOR_TASKS
from viewer.trace.columns import LOOP_TASK
from viewer.trace.sites import IMPORT


class How(Enum):
    """What those whom a wait is for would have to do."""

    LOCK = "release a lock"
    JOIN = "end"
    JOB = "finish a job"
    QUEUED = "be free for a job"
    MODULE = "import a module"
    QUEUE = "use a queue"
    LOOP = "run what was given to a loop"
    SLOT = "give a slot back"
    CALLBACK = "receive a result"
    EVENT = "set an event"
    REPLY = "answer"
    GIVEN = "end a coroutine"
    BARRIER = "come to a barrier"


_BARRIERS = ("Barrier", "Barrier.wait")  # of asyncio, of threads
_IN_THREAD = "executor"
_RESULTS = ("Future.result", "futures.wait", "futures.as_completed", _IN_THREAD, "future")
_EVENTS = ("Event", "Event.wait", "Condition", "Condition.wait", "future")
_QUEUES = (*PUTS, *GETS, "Queue.join")
_CHILDREN = 50  # tasks that somebody waits for at once: more are not searched
_TASKS = 50_000  # more are not searched for those that somebody awaits
_ENDED = 2  # … of those that it gathers
_PARTIES = 200  # that run the same: more meet nowhere
_BEFORE_NS = (
    200_000_000  # whoever waits gets an exception at once, but for those that end the loop
)
_JUST_NS = 5_000_000  # a coroutine was handed over that soon before the wait for its result
# Threads that receive the results of a pool of processes, and call what waits for one.
_RECEIVERS = (" Pool._handle_results", " _ExecutorManagerThread.run")
_RECEIVED = ("AsyncResult.get", "AsyncResult.wait", *_RESULTS)
_IMPORTING = "<frozen importlib"


class Blocked(NamedTuple):
    """All of `by` must do something before the wait ends. `what`: the job, by name and line;
    or where the lock was taken, since `since_ns`. `failed_ns`: when it failed that will not
    do it any more; -1 else."""

    how: How
    by: tuple[Who, ...]
    what: tuple[str, str] = ("", "")
    since_ns: int = -1
    failed_ns: int = -1


class Enders:
    """Finds who can end a wait; None where the trace does not tell."""

    @classmethod
    def of(cls, waits: Waits) -> Self:
        """Those of a model, which keep what they found."""
        return waits.model.derive(cls, lambda: cls(waits))

    def __init__(self, waits: Waits) -> None:
        self.waits, self.model, self.reading = waits, waits.model, waits.reading
        self.ledger = self.reading.ledger
        self.holders = Holders(self.ledger)

    def whom(self, wait: Wait) -> Blocked | None:
        if wait.name in LOCKS:
            return self._lock(wait)
        if wait.name in ENDS:
            return self._join(wait)
        if wait.name.startswith(FOR_TASKS):
            return self._tasks(wait)
        if wait.name == IMPORT:
            return self._import(wait)
        if wait.name in _BARRIERS:
            return self._barrier(wait)
        if self._own_loop.is_blocked_by(wait, self._stepping(wait)):
            return Blocked(How.LOOP, (wait.who,))
        if wait.name in _QUEUES:
            return self._queue(wait)
        if wait.name in _RECEIVED and self._receives(wait):
            return Blocked(How.CALLBACK, (wait.who,))
        if wait.name in _RESULTS:
            return self._late(wait) or self._job(wait) or self._loop(wait) or self._event(wait)
        return self._slot(wait) or self._event(wait)

    def _receives(self, wait: Wait) -> bool:
        """Whether it is a callback of a pool of processes that waits."""
        return any(frame.endswith(_RECEIVERS) for frame in wait.stack)

    def _lock(self, wait: Wait) -> Blocked | None:
        table, lock = self.model.states, wait.lock
        if lock < 0 or not self.ledger.holds.has(lock):
            return None
        # The one that has it for most of the wait's time, from its begin on.
        found = list(self.ledger.holds.backwards(lock, wait.start_ns, wait.end_ns))
        if not found:
            return None
        hold = found[-1][0]
        task, owner = self.holders.task(hold), table.owner[hold]
        who: Who | None = ("task", task) if task >= 0 else self._owner(owner)
        if who is None or who == wait.who:
            return None
        site = self.model.trace.text(table.site[hold])
        return Blocked(How.LOCK, (who,), (wait.name, site), table.start_ns[hold])

    def _owner(self, owner: int) -> Who | None:
        table = self.model.states
        if owner < 0 or table.owner_id[owner] < 0:
            return None
        id_, process = table.owner_id[owner], table.owner_process[owner]
        is_task = table.owner_is_task[owner]
        which = (self.ledger.task_of if is_task else self.ledger.thread)(process, id_)
        return ("task" if is_task else "thread", which) if which >= 0 else None

    def _join(self, wait: Wait) -> Blocked | None:
        who = self._owner(self.model.states.owner[wait.row]) if wait.row >= 0 else None
        return Blocked(How.JOIN, (who,)) if who is not None else None

    def _tasks(self, wait: Wait) -> Blocked | None:
        """The tasks whose end it awaits: the one of that name, or those that it created and
        that were not done in the end."""
        owned, (_, which) = self.model.owners, wait.who
        if len(owned.task_id) > _TASKS:
            return None
        name = wait.name.removeprefix(FOR_TASKS[0])
        if name == wait.name:
            found = self.ledger.children_of(which)
        else:
            found = self.ledger.named_beside(which, name)
        ends = self.waits.ends_ns
        pending = [
            task for task in found
            if ends(("task", task)) >= wait.end_ns - _JUST_NS
            and self.model.trace.slices.start_ns[owned.task_head[task]] < wait.end_ns
        ]  # fmt: skip
        if not found and name == wait.name:
            pending = self._gathers_all(wait)
        if not pending or len(pending) > (_CHILDREN if name == wait.name else 1):
            return None
        return Blocked(How.JOIN, tuple(("task", task) for task in pending))

    def _gathers_all(self, wait: Wait) -> list[int]:
        """Where a task that made none awaits others, some of which end, until only such are
        left that await the end of others, these: it gathers all, itself among them."""
        begun = self.waits.begun_by(wait, wait.start_ns - 1)
        ends = map(self.waits.ends_ns, begun)
        left = self.waits.living(wait) - {wait.who}
        is_its = (
            not self.reading.jobs.of_submitter.get(wait.who)
            and left <= self.waits.waiting_for_ends(wait)
            and sum(wait.start_ns < ns < wait.end_ns - _JUST_NS for ns in ends) >= _ENDED
        )
        return [task for _, task in sorted(left)] if is_its else []

    def _barrier(self, wait: Wait) -> Blocked | None:
        """Those who run the same and have not come; else a job that no worker begins."""
        waits = self.waits
        there = {
            other.who
            for other in waits.overlapping(wait)
            if (other.name, other.lock) == (wait.name, wait.lock)
        }
        missing = tuple(
            who
            for who in waits.alike(wait.who)
            if who not in there
            and waits.begins_ns(who) < wait.end_ns
            and waits.ends_ns(who) >= wait.end_ns
        )
        if 0 < len(missing) <= _PARTIES:
            return Blocked(How.BARRIER, missing)
        pool = self._pool_of(wait.who)
        queued = pool >= 0 and any(
            job.at_ns <= wait.end_ns for job in self.reading.jobs.never_begun
        )
        return self._queued(pool) if queued else None

    def _import(self, wait: Wait) -> Blocked | None:
        """Those who wait inside an import, of which there is nobody else to be seen."""
        inside = {
            other.who
            for other in self.waits.overlapping(wait)
            if other.who != wait.who
            and other.name != IMPORT
            and any(frame.startswith(_IMPORTING) for frame in other.stack)
        }
        if wait.ender is not None:
            inside &= {wait.ender}
        if len(inside) != 1:
            return None
        return Blocked(How.MODULE, tuple(inside))

    def _slot(self, wait: Wait) -> Blocked | None:
        if pool_of(wait.name, wait.stack) is None:
            return None
        by = have(self.waits, wait) or passed(self.waits, wait)
        return Blocked(How.SLOT, tuple(sorted(by))) if by else None

    def _event(self, wait: Wait) -> Blocked | None:
        """Whoever woke it in the end."""
        if wait.name not in _EVENTS or wait.failed or wait.ender in (None, wait.who):
            return None
        if pool_of(wait.name, wait.stack) is not None:
            return None
        return Blocked(How.EVENT, (wait.ender,)) if wait.ender is not None else None

    def _queue(self, wait: Wait) -> Blocked | None:
        enders = self.of_queue(wait.lock) if wait.lock >= 0 else frozenset()
        return Blocked(How.QUEUE, tuple(sorted(enders))) if enders else self._reply(wait)

    def _reply(self, wait: Wait) -> Blocked | None:
        """Those who gave others their answers, in queues made for one answer at this line."""
        if not (wait.failed and self.waits.is_for_one(wait)):
            return None
        by = tuple(sorted(self._givers.get((wait.name, wait.site), set()) - {wait.who}))
        return Blocked(How.REPLY, by) if by else None

    @cached_property
    def _givers(self) -> dict[tuple[str, str], set[Who]]:
        """By name and line of waits in queues that were made for one answer, who gave it."""
        found = defaultdict[tuple[str, str], set[Who]](set)
        for wait in self.waits.all:
            if wait.name in GETS and wait.ender is not None and self.waits.is_for_one(wait):
                found[wait.name, wait.site].add(wait.ender)
        return found

    def of_queue(self, lock: int) -> frozenset[Who]:
        """All who ever ended a wait for a queue."""
        return frozenset(ender for _, ender in ended(self.waits, lock))

    @cached_property
    def _own_loop(self) -> OwnLoop:
        return OwnLoop(self.waits)

    # Jobs and loops -------------------------------------------------------------------------

    def _stepping(self, wait: Wait) -> int:
        """The task in whose step a thread waits; -1 none."""
        kind, which = wait.who
        step = self.reading.on_loop_at(which, wait.start_ns) if kind == "thread" else -1
        is_task = step >= 0 and self.model.owners.kind[step] == LOOP_TASK
        return self.model.owners.owner[step] if is_task else -1

    def _job(self, wait: Wait) -> Blocked | None:
        """The job that is waited for, among those that the waiter submitted."""
        task = self._stepping(wait)
        pending = [
            job
            for job in self.reading.jobs.of_submitter.get(wait.who, [])
            if job.submitted_ns <= wait.start_ns < job.ended_ns
        ]
        if task >= 0:
            mine = self.reading.jobs.of_submitter.get(("task", task), [])
            pending += [job for job in mine if job.ended_ns > wait.start_ns]
        if wait.failed:  # what ended meanwhile is not what it waited for in the end
            pending = [job for job in pending if job.ended_ns >= wait.end_ns]
        if pending:
            # It waits for one of them: all must be stuck, or it may go on.
            middle = (wait.start_ns + wait.end_ns) // 2
            queued = [job for job in pending if job.began_ns > middle]
            if not queued:
                by = sorted({("thread", job.thread) for job in pending})
                return Blocked(How.JOB, tuple(by), (pending[0].name, pending[0].site))
            return self._queued(queued[0].pool, (queued[0].name, queued[0].site))
        pool = self._pool_of(wait.who)
        lost = [
            job
            for job in self.reading.jobs.never_begun
            if ("thread", job.thread) == wait.who and job.at_ns <= wait.start_ns
        ]
        pools = self.reading.jobs.pools
        pool = 0 if pool < 0 and len(pools) == 1 and self._is_here(pools[0], wait) else pool
        if lost and pool >= 0:
            return self._queued(pool)
        # anyio runs jobs in threads of its own: whoever ended such a wait had run the job.
        if wait.name != _IN_THREAD or wait.failed or wait.ender is None:
            return None
        return Blocked(How.JOB, (wait.ender,))

    def _pool_of(self, who: Who) -> int:
        """The pool of which somebody is a worker; -1 none."""
        return self.reading.jobs.pool_of.get(who[1], -1) if who[0] == "thread" else -1

    def _is_here(self, pool: ThreadPool, wait: Wait) -> bool:
        """Whether the workers of a pool are in the waiter's process."""
        return self.model.thread_process[pool.threads[0]] == self.waits.process(wait.who)

    def _queued(self, pool: int, job: tuple[str, str] = ("", "")) -> Blocked:
        threads = self.reading.jobs.pools[pool].threads
        return Blocked(How.QUEUED, tuple(("thread", thread) for thread in threads), job)

    def _loop(self, wait: Wait) -> Blocked | None:
        """A result that a loop owes: `run_coroutine_threadsafe(...).result()`."""
        kind, which = wait.who
        if wait.name != "Future.result" or kind != "thread":
            return None
        lanes = self.ledger.lane_of_thread
        process = self.model.thread_process[which]
        step = self.reading.on_loop_at(which, wait.start_ns) if which in lanes else -1
        if step >= 0 and self._own_loop.owes(step, self._stepping(wait), wait):
            return Blocked(How.LOOP, (wait.who,))
        if (task := self._given(which, wait, step)) >= 0:
            failed_ns = self._failed_ns(task, wait)
            return Blocked(How.GIVEN, (("task", task),), failed_ns=failed_ns)
        if step >= 0:
            return None
        woken = self._woken_loop(which, wait.start_ns)
        others = [t for t in lanes if self.model.thread_process[t] == process]
        thread = woken if woken >= 0 else others[0] if len(others) == 1 else -1
        if thread < 0 or (woken < 0 and not self._has_woken(which, wait.start_ns)):
            return None
        return Blocked(How.LOOP, (("thread", thread),))

    def _late(self, wait: Wait) -> Blocked | None:
        """The thread of another loop, which began the task that ended a wait only after most
        of that."""
        if wait.who[0] != "task" or wait.ender is None or wait.ender[0] != "task":
            return None
        own, other = (self.ledger.thread_of_task(who[1]) for who in (wait.who, wait.ender))
        late_ns = self.waits.begins_ns(wait.ender) - wait.start_ns
        if other in (own, -1) or not covers(late_ns, wait.ns):
            return None
        return Blocked(How.LOOP, (("thread", other),))

    def _failed_ns(self, task: int, wait: Wait) -> int:
        """When a task that owes a result failed, long before a wait was over; else -1."""
        end_ns = self.waits.ends_ns(("task", task))
        is_over = wait.end_ns - end_ns >= _BEFORE_NS
        how = self.ledger.how_it_ended(task) if is_over else ""
        return end_ns if how.startswith(s.FAILED_PREFIX) else -1

    @cached_property
    def _wakes(self) -> dict[int, list[int]]:
        """By thread, the `wake` instants outside of steps, in order of time."""
        trace, found = self.model.trace, defaultdict[int, list[int]](list)
        for event in trace.instants(trace.events.name, s.WAKE):
            thread = self.ledger.thread_of_track[trace.events.track[event]]
            if thread >= 0:
                found[thread].append(event)
        return found

    def _last_wake(self, thread: int, time_ns: int) -> int:
        events, times = self._wakes.get(thread, []), self.model.trace.events.time_ns
        at = bisect_right(events, time_ns, key=times.__getitem__) - 1
        is_near = at >= 0 and time_ns - times[events[at]] <= _JUST_NS
        return events[at] if is_near else -1

    def _given(self, thread: int, wait: Wait, step: int) -> int:
        """The task of the coroutine that a thread, maybe in a step of its own loop, has just
        given to another one, which then was not blocked; -1 unknown."""
        wake, until_ns = self._last_wake(thread, wait.start_ns), wait.start_ns + wait.ns // 2
        sources = [wake] if wake >= 0 else []
        if step >= 0:
            sources += self._own_loop.sources(step, self._stepping(wait), wait.start_ns)
        given = (self._births.of(source, until_ns, thread) for source in sources)
        return next((task for task in given if task >= 0), -1)

    @cached_property
    def _births(self) -> Births:
        return Births(self.waits)

    def _has_woken(self, thread: int, time_ns: int) -> bool:
        return self._last_wake(thread, time_ns) >= 0

    def _woken_loop(self, thread: int, time_ns: int) -> int:
        """The thread of the loop that a thread has just given something to; -1 unknown."""
        event, flows = self._last_wake(thread, time_ns), self.ledger.flows
        for flow, is_end in flows.at(event) if event >= 0 else ():
            target = flows.other_end(flow, is_end) if not is_end else -1
            loop = (
                self.model.track_lane[self.model.trace.events.track[target]]
                if target >= 0
                else -1
            )
            if loop >= 0:
                return self.ledger.thread_of_loop[loop]
        return -1
