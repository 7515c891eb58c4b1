"""Lookups in a trace: slices of states, names, how waits began and ended."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cached_property

from tracer import schema as s
from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.processes.family import Family
from viewer.trace.columns import FAILED, READY, STATE_MASK, TASK_WAIT
from viewer.trace.model import Model

_NAMED_BY_ASYNCIO = re.compile(r"Task-(\d+)")
# asyncio's functions that give a waiter what it waits for, of 3.12 on.
_GIVERS = (
    *("Event.set", "Condition.notify", "Condition._notify", "Queue._wakeup_next"),
    *("Semaphore._wake_next", "Semaphore.release", "Lock._wake_up_first", "Barrier._release"),
)


def name_of_task(model: Model, task: int) -> str:
    """The name that the program gave it, else its coroutine and asyncio's number."""
    name = model.task_name(task)
    numbered = _NAMED_BY_ASYNCIO.fullmatch(name)
    return f"{model.coroutine_of(task)} #{numbered[1]}" if numbered else name


class Lanes:
    """The rows of a model by their lane."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.ledger = Ledger.of(model)

    def name_of_thread(self, thread: int) -> str:
        """With its process, where the trace has several."""
        of = Family.of(self.model).name(self.model.thread_process[thread])
        name = self.model.thread_names[thread]
        return f"{name} [{of}]" if of else name

    def name_of(self, row: int) -> str:
        """The name of the slice of a row of States."""
        return self.name_of_slice(self.model.states.slice[row])

    def name_of_slice(self, i: int) -> str:
        trace = self.model.trace
        return trace.text(trace.events.name[trace.slices.event[i]])

    def rows_of_thread(self, thread: int) -> Sequence[int]:
        """Its rows of States, in order of begin."""
        lanes = self.ledger.rows_of_threads
        return lanes.of(thread)

    # Tasks --------------------------------------------------------------------------------

    def rows_of_task(self, task: int) -> Sequence[int]:
        """The slices of its states, in order of begin."""
        lanes = self.ledger.rows_of_tasks
        return lanes.of(task)

    @cached_property
    def task_waits(self) -> dict[int, int]:
        """By slice the row of States of a task's await of a lock."""
        table = self.model.states
        is_wait = bytes(int(state & STATE_MASK == TASK_WAIT) for state in range(256))
        mark = memoryview(bytes(table.state).translate(is_wait))
        rows = self.model.trace.engine.longer(table.start_ns, table.end_ns, mark, 0)
        return {table.slice[row]: row for row in rows}

    def is_given_up(self, i: int) -> bool:
        """Whether the trace says that an await (slice i) brought its task nothing."""
        row = self.task_waits.get(i, -1)
        return row >= 0 and bool(self.model.states.state[row] & FAILED)

    def is_given(self, i: int, ready: int) -> bool:
        """Whether a callback that was due gave a task what it waited for (slice i), as others
        may: a time-out gives nothing. Of locks and the like the trace says it."""
        if i in self.task_waits:
            return not self.is_given_up(i)
        args = self.model.trace.args(self.model.trace.slices.event[ready])
        return args.get(s.ARG_VIA) in _GIVERS

    def loop_of_task(self, task: int) -> int:
        return self.model.lane[self.model.owners.task_head[task]]

    def name_of_task(self, task: int) -> str:
        return name_of_task(self.model, task)

    def after_await(self, task: int, i: int) -> int:
        """The `ready` that ended a task's await (slice i); -1 none."""
        slices = self.model.trace.slices
        if slices.unfinished[i]:
            return -1
        return self.begins(task, slices.end_ns[i], READY)

    def begins(self, task: int, start_ns: int, kind: int) -> int:
        """The slice of that kind that a task begins at that moment; -1 none."""
        starts, kinds = self.model.trace.slices.start_ns, self.model.owners.kind
        mine = self.rows_of_task(task)
        first = bisect_left(mine, start_ns, key=starts.__getitem__)
        here = range(first, bisect_right(mine, start_ns, first, key=starts.__getitem__))
        return next((mine[at] for at in here if kinds[mine[at]] == kind), -1)

    def site_of_await(self, i: int) -> str:
        return self.ledger.site_of_await(i)
