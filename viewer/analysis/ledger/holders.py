"""Whose a lock really is: what a thread took in a task's step, or in a job that a task
submitted, is the task's when step or job are over."""

from bisect import bisect_left, bisect_right
from functools import cached_property

from tracer import schema as s
from viewer.analysis.ledger.ledger import Ledger
from viewer.trace.columns import AWAIT, IDLE_WAIT, LOOP_TASK, STATE_MASK, TASK_WAIT
from viewer.trace.sites import place_of

_AT_ONCE_NS = 50_000  # a hold and the wait that made it known begin together
WORKER_IDLE = s.LOCK_WAIT_PREFIX + "executor idle"


class Holders:
    """Tasks that have locks which their threads took."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.model = ledger, ledger.model
        self._known: dict[int, int] = {}

    def task(self, hold: int) -> int:
        """The task that keeps a hold (a row of States) beyond its step or job; -1 none."""
        if hold not in self._known:
            self._known[hold] = self._find(hold)
        return self._known[hold]

    def _find(self, hold: int) -> int:
        table = self.model.states
        owner = table.owner[hold]
        if owner < 0 or table.owner_is_task[owner] or table.owner_id[owner] < 0:
            return -1
        thread = self.ledger.thread(table.owner_process[owner], table.owner_id[owner])
        if thread < 0:
            return -1
        lane = self.ledger.lane_of_thread.get(thread, -1)
        return self._of_step(lane, hold) if lane >= 0 else self._of_job(thread, hold)

    def _of_step(self, lane: int, hold: int) -> int:
        """A hold is recorded from its first waiter on: who took the lock may be suspended."""
        table, owned = self.model.states, self.model.owners
        start_ns, taken = table.start_ns[hold], self._function(hold)
        suspended = self._suspended(lane, start_ns, taken) if taken[1] else -1
        if suspended >= 0:
            return suspended
        step = self.ledger.loops_without_gc.row_at(lane, start_ns)
        if not 0 <= step < len(self.model.lane) or owned.kind[step] != LOOP_TASK:
            return -1
        is_over = self.model.trace.slices.end_ns[step] < table.end_ns[hold]
        is_its = self.model.coroutine_of(owned.owner[step]) == taken[1]
        return owned.owner[step] if is_over and is_its else -1

    def _function(self, hold: int) -> tuple[str, str]:
        """Where the lock was taken: file and function."""
        place = place_of(self.model.trace.text(self.model.states.site[hold]))
        return place.path, place.function

    def _waits_itself(self, hold: int) -> bool:
        """Whether its owner's own wait for the lock is what made the hold known."""
        table, owner = self.model.states, self.model.states.owner[hold]
        thread = self.ledger.thread(table.owner_process[owner], table.owner_id[owner])
        waits, lock = self.ledger.waits_of_locks, table.row[hold]
        low, high = waits.offset[lock], waits.offset[lock + 1]
        at = bisect_left(waits.start_ns, table.start_ns[hold] - _AT_ONCE_NS, low, high)
        if at == high or waits.code[at] & STATE_MASK == TASK_WAIT:
            return False
        return table.who[waits.row[at]] == thread

    def _suspended(self, lane: int, time_ns: int, taken: tuple[str, str]) -> int:
        """A task of the loop that awaits something in that function at a moment; -1 none."""
        owned, rows = self.model.owners, self.ledger.rows_of_tasks
        lanes = self.ledger.lane_of_loop
        for task, head in enumerate(owned.task_head):
            loop = self.model.lane[head]
            if loop < 0 or lanes[loop] != lane:
                continue
            low, high = rows.offset[task], rows.offset[task + 1]
            at = bisect_right(rows.start_ns, time_ns, low, high) - 1
            if at >= low and rows.code[at] == AWAIT and rows.end_ns[at] > time_ns:
                place = place_of(self.ledger.site_of_await(rows.row[at]))
                if (place.path, place.function) == taken:
                    return task
        return -1

    def _of_job(self, thread: int, hold: int) -> int:
        table, jobs = self.model.states, self._jobs.get(thread, [])
        start_ns, end_ns = table.start_ns[hold], table.end_ns[hold]
        at = bisect_right(jobs, start_ns, key=lambda job: job[0]) - 1
        at -= self._waits_itself(hold)
        while at >= 0 and self._place_of_job(jobs[at][1]) != self._function(hold):
            at -= 1
        if at < 0:
            return -1
        following = jobs[at + 1][0] if at + 1 < len(jobs) else end_ns
        if min(following, self._idle_from(thread, start_ns, end_ns)) >= end_ns:
            return -1
        return self._submitter(jobs[at][1])

    def _place_of_job(self, event: int) -> tuple[str, str]:
        place = place_of(str(self.model.trace.args(event).get(s.ARG_SITE, "")))
        return place.path, place.function

    def _idle_from(self, thread: int, start_ns: int, end_ns: int) -> int:
        """When the worker looks for its next job after a time; `end_ns` when it does not."""
        table, rows = self.model.states, self.ledger.rows_of_threads
        low, high = rows.offset[thread], rows.offset[thread + 1]
        for at in range(bisect_left(rows.start_ns, start_ns, low, high), high):
            row = rows.row[at]
            if table.start_ns[row] >= end_ns:
                break
            if table.state[row] & STATE_MASK == IDLE_WAIT:
                trace = self.model.trace
                name = trace.text(trace.events.name[trace.slices.event[table.slice[row]]])
                if name == WORKER_IDLE:
                    return table.start_ns[row]
        return end_ns

    @cached_property
    def _jobs(self) -> dict[int, list[tuple[int, int]]]:
        """By thread (time, event) of each job that it began."""
        trace, found = self.model.trace, dict[int, list[tuple[int, int]]]()
        for event in trace.instants(trace.events.name, s.RUN):
            thread = self.model.threads.of_track[trace.events.track[event]]
            found.setdefault(thread, []).append((trace.events.time_ns[event], event))
        return found

    def _submitter(self, run: int) -> int:
        """The task whose step submitted a job; -1 when none did."""
        for source in self.ledger.flows.causes(run):
            at = self.ledger.slice_at(source)
            return self.ledger.task_of_slice[at] if at >= 0 else -1
        return -1
