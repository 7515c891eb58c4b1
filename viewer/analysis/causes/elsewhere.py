"""What a wait in one process was for in another: the end of a child, a job or its result, a
message."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple, Self

from tracer import schema as s
from viewer.analysis.causes.childwaits import LONG_NS, WAITS, Child, ChildWaits
from viewer.analysis.causes.part import Kind
from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.ledger.resource import Windows, parts, windows_of
from viewer.analysis.processes.family import Family
from viewer.analysis.processes.jobs import Job, Jobs
from viewer.analysis.processes.messages import Message, Messages
from viewer.analysis.processes.told import NEVER
from viewer.analysis.states import numbers, stack_of
from viewer.trace.columns import (
    IDLE_WAIT,
    IO,
    LOOP_CALLBACK,
    SELECT,
    SLEEP,
    STATE_MASK,
)
from viewer.trace.model import Model
from viewer.trace.sites import head, is_library

_GET = re.compile(r"multiprocessing/queues\.py:\d+ (Simple)?Queue\.get$", re.MULTILINE)
_MOST_CALLBACKS = 4  # from the one that is told of a child's end to the task's wake-up


class Written(NamedTuple):
    """Who wrote what a thread waited for, when, and where."""

    thread: int
    at_ns: int
    site: str


class Elsewhere:
    """The rows of threads that waited for another process."""

    def __init__(self, model: Model, ledger: Ledger) -> None:
        self.model, self.ledger = model, ledger
        self.family, self.jobs = Family.of(model), Jobs.of(model).all
        self.messages = Messages.of(model).all
        loops = ledger.lane_of_thread
        self.child_of_row = ChildWaits(model, loops, self.is_poll_of_loop, self.message_of_row)

    @classmethod
    def of(cls, model: Model) -> Self:
        """The model's, found on its first use."""
        return model.derive(cls, lambda: cls(model, Ledger.of(model)))

    @cached_property
    def _received(self) -> dict[int, list[tuple[int, int]]]:
        """By thread the (time, job) of the results that it read, in order of time."""
        found: dict[int, list[tuple[int, int]]] = {}
        for number, job in enumerate(self.jobs):
            if job.receiver >= 0:
                found.setdefault(job.receiver, []).append((job.received_ns, number))
        for got in found.values():
            got.sort()
        return found

    @cached_property
    def job_of_row(self) -> dict[int, int]:
        """By row the job whose result ended it."""
        found: dict[int, int] = {}
        for thread, got in self._received.items():
            before = 0
            for at_ns, number in got:
                for row in self._rows_before(thread, at_ns, before):
                    found[row] = number
                before = at_ns
        return found

    def _rows_before(self, thread: int, at_ns: int, since_ns: int) -> Iterator[int]:
        """The thread's last wait before a moment, with the short ones after it; none of those
        before `since_ns`, which brought something else."""
        rows, table = self.ledger.rows_of_threads, self.model.states
        low = rows.offset[thread]
        at = bisect_right(rows.start_ns, at_ns, low, rows.offset[thread + 1])
        while at > low:
            at -= 1
            row = rows.row[at]
            base = table.state[row] & STATE_MASK
            if table.start_ns[row] < since_ns:
                return
            if base not in WAITS:
                continue
            if base not in (IO, SLEEP) or self.is_poll_of_loop(thread, row):
                return
            yield row
            if table.end_ns[row] - table.start_ns[row] >= LONG_NS:
                return

    def is_poll_of_loop(self, thread: int, row: int) -> bool:
        """A loop that polls waits for everything that its tasks await."""
        lane, table = self.ledger.lane_of_thread.get(thread, -1), self.model.states
        if lane < 0 or table.state[row] & STATE_MASK != IO:
            return False
        middle = (table.start_ns[row] + table.end_ns[row]) // 2
        step = self.ledger.loops_without_gc.row_at(lane, middle)
        kinds = self.model.owners.kind
        return 0 <= step < len(kinds) and kinds[step] == SELECT

    @cached_property
    def message_of_row(self) -> dict[int, int]:
        """By row the message that ended it: the first that was written meanwhile."""
        found: dict[int, int] = {}
        by_time = sorted((one.sent_ns, number) for number, one in enumerate(self.messages))
        for sent_ns, number in by_time:
            one = self.messages[number]
            for row in self._rows_in(one.receiver, one.since_ns, one.received_ns):
                if self.model.states.start_ns[row] <= sent_ns:
                    found.setdefault(row, number)
        return found

    @cached_property
    def idle_of_row(self) -> dict[int, int]:
        """By row the job that came: between two jobs a worker's first thread gets the second
        from the queue."""
        found: dict[int, int] = {}
        for worker, jobs in self._of_worker.items():
            member, before = self.family.members.get(worker), 0
            main = member.main if member is not None else -1
            for _, number in jobs if main >= 0 else ():
                job = self.jobs[number]
                if job.thread >= 0:
                    waited = self._rows_in(main, before, job.start_ns)
                    found |= {row: number for row in waited if self.is_get(row)}
                before = max(job.end_ns, job.result_ns)
        return found

    def is_get(self, row: int) -> bool:
        """Whether a wait is inside `get()` of a queue between processes."""
        stack = stack_of(self.model, row)
        return _GET.search(stack) is not None

    def _rows_in(self, thread: int, since_ns: int, until_ns: int) -> Iterator[int]:
        """The waits of a thread that lie in that time, by their middle."""
        rows, table = self.ledger.rows_of_threads, self.model.states
        low, high = rows.offset[thread], rows.offset[thread + 1]
        at = bisect_right(rows.start_ns, until_ns, low, high)
        while at > low:
            at -= 1
            row = rows.row[at]
            if table.end_ns[row] < since_ns:
                return
            middle = (table.start_ns[row] + table.end_ns[row]) // 2
            if since_ns <= middle < until_ns and table.state[row] & STATE_MASK in WAITS:
                yield row

    def written(self, number: int) -> Written:
        """Who wrote a message, or had put it into the queue whose thread wrote it.

        That is known of the first message after which that thread began or was woken.
        """
        message = self.messages[number]
        put = self._put(message) if message.is_put or is_library(message.site) else None
        if put is not None and message.is_put:
            put = put._replace(site=message.site)
        return put or Written(message.sender, message.sent_ns, message.site)

    def _put(self, message: Message) -> Written | None:
        table = self.model.states
        for row in self._rows_in(message.sender, message.before_ns, message.sent_ns):
            if table.state[row] & STATE_MASK == IDLE_WAIT and table.waker[row] >= 0:
                event = self.ledger.release_of(row)
                return self._written_at(table.waker[row], event) if event >= 0 else None
        starter = self.ledger.starters.get(message.sender)
        return self._written_at(*starter) if starter and not message.before_ns else None

    def _written_at(self, thread: int, event: int) -> Written:
        args = self.model.trace.args(event)
        site = head(str(args.get(s.ARG_STACK, ""))) or str(args.get(s.ARG_SITE, ""))
        return Written(thread, self.model.trace.events.time_ns[event], site)

    def child_of_step(self, thread: int, step: int, at_ns: int) -> Child | None:
        """The child of whose end a loop's thread was told in a step until that moment, or in
        one of the callbacks that led to it."""
        return next(
            (
                child
                for since_ns, until_ns in self._callbacks_behind(step, at_ns)
                if (child := self.child_of_row.between(thread, since_ns, until_ns)) is not None
            ),
            None,
        )

    def message_of_step(self, thread: int, step: int, at_ns: int) -> int:
        """The message that a loop's thread had read last then, in that step or in one of the
        callbacks that led to it; -1 none."""
        return next(
            (
                number
                for since_ns, until_ns in self._callbacks_behind(step, at_ns)
                if (number := self.message_between(thread, since_ns, until_ns)) >= 0
            ),
            -1,
        )

    def _callbacks_behind(self, step: int, at_ns: int) -> Iterator[tuple[int, int]]:
        """When a callback ran until a moment, and before it those that led to it."""
        slices, kinds = self.model.trace.slices, self.model.owners.kind
        for _ in range(_MOST_CALLBACKS):
            if not 0 <= step < len(kinds) or kinds[step] not in (LOOP_CALLBACK, SELECT):
                return
            yield slices.start_ns[step], at_ns
            causes = self.ledger.flows.causes(slices.event[step])
            step = next((self.ledger.slice_at(event) for event in causes), -1)
            at_ns = slices.end_ns[step] if step >= 0 else at_ns

    def message_between(self, thread: int, since_ns: int, until_ns: int) -> int:
        """The last message that a thread has read in that time; -1 none."""
        got = self._got.get(thread, [])
        at = bisect_right(got, (until_ns, len(self.messages))) - 1
        return got[at][1] if at >= 0 and got[at][0] >= since_ns else -1

    @cached_property
    def _got(self) -> dict[int, list[tuple[int, int]]]:
        """By thread the messages that it has read: when, and which."""
        found: dict[int, list[tuple[int, int]]] = {}
        for number, message in enumerate(self.messages):
            found.setdefault(message.receiver, []).append((message.received_ns, number))
        return found

    def job_before(self, thread: int, at_ns: int) -> int:
        """The job whose result a thread had read when it ended a wait of another; -1 none."""
        got = self._received.get(thread, [])
        at = bisect_right(got, (at_ns, len(self.jobs))) - 1
        if at < 0:
            return -1
        received_ns, number = got[at]
        rows, table = self.ledger.rows_of_threads, self.model.states
        low, high = rows.offset[thread], rows.offset[thread + 1]
        for place in range(
            bisect_left(rows.start_ns, received_ns, low, high),
            bisect_left(rows.start_ns, at_ns, low, high),
        ):
            row = rows.row[place]
            is_wait = table.state[row] & STATE_MASK in WAITS
            if is_wait and table.end_ns[row] - table.start_ns[row] >= LONG_NS:
                return -1
        return number

    def job_of_worker_before(self, number: int) -> int:
        """The job for whose end a queued one waited, since it had the worker; -1 none."""
        job = self.jobs[number]
        earlier = self._of_worker[job.worker]
        at = bisect_left(earlier, (job.start_ns, number)) - 1
        if at < 0:
            return -1
        before = self.jobs[earlier[at][1]]
        is_behind = before.end_ns - max(job.submit_ns, before.start_ns) >= LONG_NS
        return earlier[at][1] if job.submit_ns >= 0 and is_behind else -1

    @cached_property
    def _of_worker(self) -> dict[int, list[tuple[int, int]]]:
        """By process the (begin, number) of its jobs, in order."""
        found: dict[int, list[tuple[int, int]]] = {}
        for number, job in enumerate(self.jobs):
            if job.start_ns >= 0:
                found.setdefault(job.worker, []).append((job.start_ns, number))
        for jobs in found.values():
            jobs.sort()
        return found

    def of_row(self, row: int) -> tuple[str, int] | None:
        """What explains a call: a child, a job or the one that came next, a message."""
        if row in self.child_of_row:
            return "child", row
        kinds = (
            ("job", self.job_of_row),
            ("idle", self.idle_of_row),
            ("message", self.message_of_row),
        )
        return next(((kind, rows[row]) for kind, rows in kinds if row in rows), None)

    def did(self, thread: int, windows: Windows) -> Iterator[tuple[int, Windows]]:
        """What a thread did, by rows of States: of like ones any, but of calls that may have
        waited for another process each."""
        for key, cut in parts(self.ledger.did(thread, windows)):
            row, table = self.ledger.row_that_did(key), self.model.states
            if row >= 0 and self._explains and table.state[row] & STATE_MASK in (IO, SLEEP):
                yield from parts(self.ledger.states.by_row(thread, cut, numbers(())))
            else:
                yield row, cut

    @cached_property
    def _explains(self) -> bool:
        """Whether any wait was for another process."""
        children, messages = self.child_of_row, self.message_of_row
        return bool(children or messages or self.job_of_row or self.idle_of_row)

    def phases(self, job: Job, windows: Windows) -> Iterator[tuple[Kind, Windows]]:
        """What became of a job in these times, in order."""
        ends = [
            (Kind.UNKNOWN, max(job.submit_ns, 0)),
            (Kind.QUEUED, job.start_ns),
            (Kind.JOB, job.end_ns if job.is_over else NEVER),
            (Kind.RESULT, job.received_ns),
            (Kind.WOKEN, NEVER),
        ]
        since = 0
        for kind, until in ends:
            yield kind, between(windows, since, until)
            if until == NEVER:
                return
            since = until


def between(windows: Windows, since: int, until: int) -> Windows:
    """The parts of windows from one moment to another, or NEVER."""
    found = [
        (max(a, since), b if until == NEVER else min(b, until))
        for a, b in zip(windows.from_ns, windows.until_ns, strict=True)
    ]
    return windows_of([(a, b) for a, b in found if a < b])
