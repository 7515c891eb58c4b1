"""What several read from a model: names and lines of waits and calls, rows of a kind."""

from collections.abc import Callable, Iterable
from functools import cached_property
from itertools import compress, count
from operator import eq

from tracer import schema as s
from viewer.analysis.ledger.jobs import Jobs
from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.states import call_of, having, marks, numbers, wait_of
from viewer.trace.columns import AWAIT, IO, SLEEP, STATE_MASK, Column, Lanes
from viewer.trace.model import Model
from viewer.trace.told import Told


class Reading:
    """A model with its ledger, and what its rows are called."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.ledger = Ledger.of(model)

    @cached_property
    def jobs(self) -> Jobs:
        return Jobs(self.ledger)

    def wait(self, row: int) -> tuple[str, str]:
        """Name and site of a thread's wait for a lock or the like."""
        return wait_of(self.model, row)

    def call(self, row: int) -> tuple[str, str]:
        """Name and site of a blocking call."""
        return call_of(self.model, row)

    def site_of(self, row: int) -> str:
        """The line of a thread's call, sleep or wait, by its row of the states table."""
        table = self.model.states
        is_call = table.state[row] & STATE_MASK in (IO, SLEEP)
        return (self.call(table.row[row]) if is_call else self.wait(row))[1]

    def row_ns(self, row: int) -> int:
        """How long a row of the states table lasts."""
        return self.model.states.end_ns[row] - self.model.states.start_ns[row]

    def total_ns(self, rows: Iterable[int]) -> int:
        return sum(map(self.row_ns, rows))

    def longest(self, rows: Iterable[int]) -> int:
        """The row that lasts longest."""
        return max(rows, key=self.row_ns)

    def slice_ns(self, i: int) -> int:
        """How long a slice lasts."""
        slices = self.model.trace.slices
        return slices.end_ns[i] - slices.start_ns[i]

    def slices_ns(self, found: Iterable[int]) -> int:
        return sum(map(self.slice_ns, found))

    def longest_slice(self, found: Iterable[int]) -> int:
        return max(found, key=self.slice_ns)

    def stack(self, i: int) -> str:
        """The stack in which a slice began: a line for each frame, the innermost first."""
        return self.model.trace.text_of_slice(i, s.ARG_STACK)

    def what(self, i: int) -> str:
        """What a slice awaits: `sleep`."""
        return self.awaited(i)[0].removeprefix(s.AWAIT_PREFIX)

    def in_order(self, rows: Iterable[int]) -> list[int]:
        """Rows of the states table in order of begin."""
        return sorted(rows, key=self.model.states.start_ns.__getitem__)

    def kinds(self, wanted: tuple[int, ...]) -> memoryview:
        """By slice 1 if it is of such a kind, else 0."""
        table = bytes(int(kind in wanted) for kind in range(256))
        return memoryview(bytes(self.model.owners.kind).translate(table))

    def on_loop_at(self, thread: int, time_ns: int) -> int:
        """The innermost slice of the thread's loops at a moment; -1 none."""
        lane = self.ledger.lane_of_thread.get(thread, -1)
        if lane < 0:
            return -1
        row = self.ledger.loops_without_gc.row_at(lane, time_ns)
        return row if 0 <= row < len(self.model.lane) else -1

    def awaited(self, i: int) -> tuple[str, str]:
        """What a slice awaits ("await sleep"), and its site."""
        model = self.model
        what = model.trace.text(model.owners.code[i])
        if i == model.owners.task_head[model.owners.owner[i]]:
            return what, ""  # the site of a first slice is the task's own
        return what, model.trace.text_of_event(model.trace.slices.event[i], s.ARG_SITE)

    def awaits_of_task(self, task: int) -> list[int]:
        """The slices of its awaits, in order of time."""
        kinds = self.model.owners.kind
        return [i for i in self.ledger.rows_of_tasks.of(task) if kinds[i] == AWAIT]

    def awaits_at(self, task: int, what: str, site: str) -> Column:
        """The slices in which a task awaits that at that line, in order of time."""
        slices, lanes, lane_of = self._awaits_at
        lane = lane_of.get((task, what, site), -1)
        return (
            self.model.trace.engine.take(slices, lanes.of(lane), -1)
            if lane >= 0
            else lanes.row[:0]
        )

    @cached_property
    def _awaits_at(self) -> tuple[Column, Lanes, dict[tuple[int, str, str], int]]:
        """The slices of awaits; their places by task, what they are for, and line; and of
        these the lane."""
        trace, owned, engine = self.model.trace, self.model.owners, self.model.trace.engine
        take, tasks = engine.take, self.model.task_keys(AWAIT)
        every = memoryview(b"\1" * len(owned.task_id))
        slices = engine.pick(engine.upto(0, len(tasks)), tasks, every)
        tasks, code = take(tasks, slices, -1), engine.narrow(take(owned.code, slices, -1))
        site = Told(trace, take(trace.slices.event, slices, -1)).strings(s.ARG_SITE)
        for first in compress(count(), map(eq, take(owned.task_head, tasks, -1), slices)):
            site[first] = -1  # as in `awaited`
        of = engine.pairs(engine.pairs(tasks, code).number, site)
        times = take(trace.slices.start_ns, slices, 0)
        none, text = memoryview(bytes(len(times))), trace.text
        return (
            slices,
            engine.lanes(times, times, none, of.number, len(of.head)),
            {(tasks[n], text(code[n]), text(site[n])): lane for lane, n in enumerate(of.head)},
        )

    def rows_of(self, states: Iterable[int], at_least_ns: int) -> memoryview:
        """Rows of the states table with such a state that last this long."""
        table, wanted = self.model.states, frozenset(states)
        mark = marks(self.model, lambda state: int(state & STATE_MASK in wanted))
        return self.model.trace.engine.longer(table.start_ns, table.end_ns, mark, at_least_ns)

    def calls_with(self, part: str, at_least_ns: int) -> Column:
        """Rows of the states table of calls that have this in their name."""
        return self._calls(lambda name: part in name, (part,), at_least_ns)

    def calls_named(self, names: tuple[str, ...], at_least_ns: int = 0) -> Column:
        """Rows of the states table of calls whose name ends so, that last this long."""
        return self._calls(lambda name: name.endswith(names), names, at_least_ns)

    def _calls(
        self, is_asked: Callable[[str], bool], parts: tuple[str, ...], at_least_ns: int
    ) -> Column:
        table = self.model.states
        named = having(self.model, table.call_name, is_asked, parts)
        if 1 not in named:
            return numbers(())
        rows = self.rows_of((IO,), at_least_ns)
        return self.model.trace.engine.pick(rows, table.row, memoryview(named))


def awaits_of(reading: Reading, prefix: str | tuple[str, ...]) -> list[int]:
    """The slices in which tasks await such a thing, in order of begin."""
    return awaits_named(reading, lambda name: name.startswith(prefix))


def awaits_named(reading: Reading, is_asked: Callable[[str], bool]) -> list[int]:
    """The same for what is asked for by its whole name."""
    model, trace = reading.model, reading.model.trace
    named = trace.awaiting(is_asked)
    if named is None:
        return []
    rows = trace.engine.longer(
        trace.slices.start_ns, trace.slices.end_ns, reading.kinds((AWAIT,)), 0
    )
    found = trace.engine.pick(rows, named, memoryview(b"\0\1"))
    return sorted(
        (i for i in found if model.owners.owner[i] >= 0), key=trace.slices.start_ns.__getitem__
    )
