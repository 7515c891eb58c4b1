"""Who can end a wait: the owner of a lock, a thread's end, workers of a pool, a loop …"""

from bisect import bisect_right
from collections import defaultdict
from functools import cached_property
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.findings.basis.facts import Facts
from viewer.analysis.findings.basis.given import Births, failed_before
from viewer.analysis.findings.basis.missing import BARRIERS, missing_at
from viewer.analysis.findings.basis.ownloop import OwnLoop
from viewer.analysis.findings.basis.takers import have, passed
from viewer.analysis.findings.basis.waits import LongWaits, name_of, users
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.holders import Holders
from viewer.analysis.ledger.jobs import Job, ThreadPool
from viewer.analysis.ledger.pools import pool_of
from viewer.analysis.locks import ENDS
from viewer.analysis.resources.waits import FOR_TASKS, GETS, PUTS, Wait
from viewer.trace.columns import LOOP_TASK, STATE_MASK, TASK_WAIT
from viewer.trace.sites import IMPORT
from viewer.words import code, place

LOCK, JOIN, JOB, QUEUED, MODULE, QUEUE = (
    "lock", "join", "job", "queued job", "import", "queue",
)  # fmt: skip
LOOP, SLOT, CALLBACK, EVENT, REPLY, GIVEN, BARRIER = (
    "loop", "slot", "callback", "event", "reply", "given", "barrier",
)  # fmt: skip
_LOCKS = ("Lock", "RLock")
_RESULTS = ("Future.result", "futures.wait", "futures.as_completed", "executor", "future")
_EVENTS = ("Event", "Event.wait", "Condition", "Condition.wait", "future")
_QUEUES = (*PUTS, *GETS, "Queue.join")
_MANY = 500  # waits for one queue: it is not searched who ends them
_CHILDREN = 50  # tasks that somebody waits for at once: more are not searched
_TASKS = 50_000  # more are not searched for those that somebody awaits
_JUST_NS = 5_000_000  # a coroutine was handed over that soon before the wait for its result
# Threads that receive the results of a pool of processes, and call what waits for one.
_RECEIVERS = (" Pool._handle_results", " _ExecutorManagerThread.run")
_RECEIVED = ("AsyncResult.get", "AsyncResult.wait", *_RESULTS)
_IMPORTING = "<frozen importlib"


class Blocked(NamedTuple):
    """All of `by` must do something before the wait ends; `why` is what, in words. `is_over`:
    they failed and will not."""

    how: str
    by: tuple[Who, ...]
    why: str
    is_over: bool = False


class Blockers:
    """Finds who can end a wait; None where the trace does not tell."""

    def __init__(self, facts: Facts) -> None:
        self.facts, self.model, self.ledger = facts, facts.model, facts.ledger
        self.waits, self.holders = LongWaits.of(facts), Holders(facts.ledger)

    def of(self, wait: Wait) -> Blocked | None:
        if wait.name in _LOCKS:
            return self._lock(wait)
        if wait.name in ENDS:
            return self._join(wait)
        if wait.name.startswith(FOR_TASKS):
            return self._tasks(wait)
        if wait.name == IMPORT:
            return self._import(wait)
        if wait.name in BARRIERS:
            return self._barrier(wait)
        if self._own_loop.is_blocked_by(wait, self._stepping(wait)):
            why = (
                f"in `{wait.name}` and blocks its own event loop meanwhile: what it had given "
                f"to that loop could only run when it gave up"
            )
            return Blocked(LOOP, (wait.who,), why)
        if wait.name in _QUEUES:
            return self._queue(wait)
        if wait.name in _RECEIVED and self._receives(wait):
            why = "for a result, though it is the thread that receives the results of its pool"
            return Blocked(CALLBACK, (wait.who,), why)
        if wait.name in _RESULTS:
            return self._job(wait) or self._loop(wait) or self._event(wait)
        return self._slot(wait) or self._event(wait)

    def _receives(self, wait: Wait) -> bool:
        """Whether it is a callback of a pool of processes that waits."""
        return any(frame.endswith(_RECEIVERS) for frame in wait.stack)

    def _name(self, who: Who) -> str:
        return code(name_of(self.model, who))

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
        took = f", acquired at {place(site)}" if site else ""
        return Blocked(LOCK, (who,), f"for the lock that {self._name(who)} holds{took}")

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
        if who is None:
            return None
        return Blocked(JOIN, (who,), f"for the end of {self._name(who)}")

    def _tasks(self, wait: Wait) -> Blocked | None:
        """The tasks whose end it awaits: the one of that name, or those that it created and
        that were not done in the end."""
        owned, (_, which) = self.model.owners, wait.who
        if len(owned.task_id) > _TASKS:
            return None
        name = wait.name.removeprefix(FOR_TASKS[0])
        if name == wait.name:
            found = self._created.get((owned.task_process[which], owned.task_id[which]), [])
        else:
            found = self._named.get((owned.task_process[which], name), [])
        ends = self.waits.ends_ns
        pending = [
            task for task in found
            if ends(("task", task)) >= wait.end_ns - _JUST_NS
            and self.model.trace.slices.start_ns[owned.task_head[task]] < wait.end_ns
        ]  # fmt: skip
        if not pending or len(pending) > (_CHILDREN if name == wait.name else 1):
            return None
        by = tuple(("task", task) for task in pending)
        return Blocked(JOIN, by, f"for the end of {users(self.model, by)}")

    @cached_property
    def _created(self) -> dict[tuple[int, int], list[int]]:
        """By process and id of a task, the tasks that it created."""
        owned, found = self.model.owners, defaultdict[tuple[int, int], list[int]](list)
        for task, parent in enumerate(owned.task_parent):
            found[owned.task_process[task], parent].append(task)
        return found

    @cached_property
    def _named(self) -> dict[tuple[int, str], list[int]]:
        """By process and name of a task."""
        owned, found = self.model.owners, defaultdict[tuple[int, str], list[int]](list)
        for task, process in enumerate(owned.task_process):
            found[process, self.model.task_name(task)].append(task)
        return found

    def _barrier(self, wait: Wait) -> Blocked | None:
        """Those who run the same and have not come; else a job that no worker begins."""
        by = missing_at(self.facts, wait)
        if by:
            return Blocked(BARRIER, by, f"at a barrier for {users(self.model, by)}")
        pool = self.facts.jobs.pool_of.get(wait.who[1], -1) if wait.who[0] == "thread" else -1
        queued = pool >= 0 and any(
            job.at_ns <= wait.end_ns for job in self.facts.jobs.never_begun
        )
        return self._queued(pool, "the others of its barrier") if queued else None

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
        (who,) = inside
        return Blocked(MODULE, (who,), f"for a module that {self._name(who)} is importing")

    def _slot(self, wait: Wait) -> Blocked | None:
        pool = pool_of(wait.name, wait.stack)
        if pool is None:
            return None
        by = tuple(sorted(have(self.facts, wait) or passed(self.facts, wait)))
        if not by:
            return None
        verb = "has" if len(by) == 1 else "have"
        return Blocked(
            SLOT, by, f"for a {pool.slot} of {pool.of}, which {users(self.model, by)} {verb}"
        )

    def _event(self, wait: Wait) -> Blocked | None:
        """Whoever woke it in the end."""
        if wait.name not in _EVENTS or wait.failed or wait.ender in (None, wait.who):
            return None
        if pool_of(wait.name, wait.stack) is not None:
            return None
        assert wait.ender is not None
        what = "a future" if wait.name == "future" else f"`{wait.name}`"
        why = f"for {what}, which {self._name(wait.ender)} set in the end"
        return Blocked(EVENT, (wait.ender,), why)

    def _queue(self, wait: Wait) -> Blocked | None:
        enders = self.enders(wait.lock) if wait.lock >= 0 else frozenset()
        if not enders:
            return self._reply(wait)
        by = tuple(sorted(enders))
        said = " or ".join(self._name(who) for who in by[:3])
        said += " or others" if len(by) > 3 else ""
        return Blocked(QUEUE, by, f"in `{wait.name}`, which only {said} ever ended")

    def _reply(self, wait: Wait) -> Blocked | None:
        """Those who gave others their answers, in queues made for one answer at this line."""
        if not (wait.failed and self.waits.is_for_one(wait)):
            return None
        by = tuple(sorted(self._givers.get((wait.name, wait.site), set()) - {wait.who}))
        why = f"for an answer, as {users(self.model, by)} gave to others"
        return Blocked(REPLY, by, why) if by else None

    @cached_property
    def _givers(self) -> dict[tuple[str, str], set[Who]]:
        """By name and line of waits in queues that were made for one answer, who gave it."""
        found = defaultdict[tuple[str, str], set[Who]](set)
        for wait in self.waits.all:
            if wait.name in GETS and wait.ender is not None and self.waits.is_for_one(wait):
                found[wait.name, wait.site].add(wait.ender)
        return found

    def enders(self, lock: int) -> frozenset[Who]:
        """All who ever ended a wait for a queue."""
        table, waits, tree = self.model.states, self.ledger.waits_of_locks, self.waits.tree
        low, high = waits.offset[lock], waits.offset[lock + 1]
        found = set[Who]()
        for row in waits.row[low:high] if high - low <= _MANY else ():
            if table.state[row] & STATE_MASK == TASK_WAIT:
                on = tree.ended_by(table.who[row], table.slice[row]).on
                if on is not None and on[0] in ("task", "thread"):
                    found.add(on)
            elif table.waker[row] >= 0:
                found.add(("thread", table.waker[row]))
        return frozenset(found)

    @cached_property
    def _own_loop(self) -> OwnLoop:
        return OwnLoop(self.facts)

    # Jobs and loops -------------------------------------------------------------------------

    @cached_property
    def _jobs_of(self) -> dict[Who, list[Job]]:
        found: dict[Who, list[Job]] = defaultdict(list)
        for job in self.facts.jobs.all:
            if job.submitter is not None:
                found[job.submitter].append(job)
        return found

    def _stepping(self, wait: Wait) -> int:
        """The task in whose step a thread waits; -1 none."""
        kind, which = wait.who
        step = self.facts.on_loop_at(which, wait.start_ns) if kind == "thread" else -1
        is_task = step >= 0 and self.model.owners.kind[step] == LOOP_TASK
        return self.model.owners.owner[step] if is_task else -1

    def _job(self, wait: Wait) -> Blocked | None:
        """The job that is waited for, among those that the waiter submitted."""
        task = self._stepping(wait)
        pending = [
            job
            for job in self._jobs_of.get(wait.who, [])
            if job.submitted_ns <= wait.start_ns < job.ended_ns
        ]
        if task >= 0:
            mine = self._jobs_of.get(("task", task), [])
            pending += [job for job in mine if job.ended_ns > wait.start_ns]
        if wait.failed:  # what ended meanwhile is not what it waited for in the end
            pending = [job for job in pending if job.ended_ns >= wait.end_ns]
        if pending:
            # It waits for one of them: all must be stuck, or it may go on.
            middle = (wait.start_ns + wait.end_ns) // 2
            queued = [job for job in pending if job.began_ns > middle]
            if not queued:
                by = sorted({("thread", job.thread) for job in pending})
                said = " and ".join(self._name(who) for who in by[:2])
                said += (
                    " and others run" if len(by) > 2 else " run" if len(by) > 1 else " runs"
                )
                name = code(pending[0].name, pending[0].site)
                return Blocked(JOB, tuple(by), f"for {name}, which {said}")
            return self._queued(queued[0].pool, code(queued[0].name, queued[0].site))
        pool = self.facts.jobs.pool_of.get(wait.who[1], -1) if wait.who[0] == "thread" else -1
        lost = [
            job
            for job in self.facts.jobs.never_begun
            if ("thread", job.thread) == wait.who and job.at_ns <= wait.start_ns
        ]
        pools = self.facts.jobs.pools
        pool = 0 if pool < 0 and len(pools) == 1 and self._is_here(pools[0], wait) else pool
        return self._queued(pool, "a job") if lost and pool >= 0 else None

    def _is_here(self, pool: ThreadPool, wait: Wait) -> bool:
        """Whether the workers of a pool are in the waiter's process."""
        return self.model.thread_process[pool.threads[0]] == self.waits.process(wait.who)

    def _queued(self, pool: int, job: str) -> Blocked:
        found = self.facts.jobs.pools[pool]
        by = tuple(("thread", thread) for thread in found.threads)
        name = code(found.name)
        return Blocked(QUEUED, by, f"for {job}, for which no worker of {name} is free")

    def _loop(self, wait: Wait) -> Blocked | None:
        """A result that a loop owes: `run_coroutine_threadsafe(...).result()`."""
        kind, which = wait.who
        if wait.name != "Future.result" or kind != "thread":
            return None
        lanes = self.ledger.lane_of_thread
        process = self.model.thread_process[which]
        step = self.facts.on_loop_at(which, wait.start_ns) if which in lanes else -1
        if step >= 0:
            why = "for a coroutine on its own event loop, which it blocks meanwhile"
            owes = self._own_loop.owes(step, self._stepping(wait), wait)
            return Blocked(LOOP, (wait.who,), why) if owes else None
        if (task := self._given(which, wait)) >= 0:
            name, failed = self._name(("task", task)), failed_before(self.facts, task, wait)
            why = f"for {name}, which it gave to the loop"
            why += f". {name} {failed}" if failed else ""
            return Blocked(GIVEN, (("task", task),), why, bool(failed))
        woken = self._woken_loop(which, wait.start_ns)
        others = [t for t in lanes if self.model.thread_process[t] == process]
        thread = woken if woken >= 0 else others[0] if len(others) == 1 else -1
        if thread < 0 or (woken < 0 and not self._has_woken(which, wait.start_ns)):
            return None
        name = self._name(("thread", thread))
        return Blocked(LOOP, (("thread", thread),), f"for a coroutine on the loop of {name}")

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

    def _given(self, thread: int, wait: Wait) -> int:
        """The task of the coroutine that a thread has just given to a loop, which then was
        not blocked; -1 unknown."""
        event = self._last_wake(thread, wait.start_ns)
        return self._births.of(event, wait.start_ns + wait.ns // 2) if event >= 0 else -1

    @cached_property
    def _births(self) -> Births:
        return Births(self.facts)

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
