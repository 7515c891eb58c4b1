"""Long waits of threads and tasks in one form: who, for what, where, and who ended it."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator
from functools import cached_property
from typing import NamedTuple, Self

from tracer import schema as s
from viewer.analysis.causes.labels import Label
from viewer.analysis.causes.part import GIVEN_UP, Kind
from viewer.analysis.causes.tree import Tree
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import covers
from viewer.analysis.resources.herds import Herds
from viewer.analysis.resources.reading import Reading
from viewer.analysis.resources.resource import Timed
from viewer.analysis.states import numbers
from viewer.analysis.waited import FOR_TASKS, For, waited_for
from viewer.trace.columns import AWAIT, FAILED, IDLE_WAIT, LOCK_WAIT, STATE_MASK, Column
from viewer.words import stem

# Beyond this many, the shortest are left out: what they lost is little beside the others.
_MOST = 10_000
_LONG_NS = 10_000_000
_NOT_FOR_OTHERS = ("gather", "wait", "task ", "Server.")
LOCKS = ("Lock", "RLock")  # which have owners, and one at a time
# For room in a queue, and for what is in it: of threads and asyncio, of anyio and trio.
PUTS = ("Queue.put", "MemoryObjectStream.send", "MemoryChannel.send")
CHANNELS = ("MemoryObjectStream.receive", "MemoryChannel.receive")
GETS = ("Queue.get", "SimpleQueue.get", *CHANNELS)
_MAIN = "MainThread"
_ON_TIMEOUT = "Timeout._on_timeout"
_TORNADO = "/tornado/"  # its own time-outs end futures, in functions of these names
_TORNADOS = ("on_timeout", "timeout_callback")
_YES = memoryview(b"\0\1")


class Wait(NamedTuple):
    """A wait for what others do. `failed`: given up, timed out, cancelled, or not over yet.

    `slice` is its slice, `row` its row of States, `lock` a lock of these (-1 none). `ender` is
    None when unknown.
    """

    who: Who
    start_ns: int
    end_ns: int
    name: str
    site: str
    lock: int
    failed: bool
    is_open: bool
    cancelled: bool
    ender: Who | None
    slice: int
    row: int
    stack: tuple[str, ...]

    @property
    def ns(self) -> int:
        return self.end_ns - self.start_ns

    def met_ns(self, other: Timed) -> int:
        """How long both lasted at the same time; less than 0: never, with so much between."""
        return min(self.end_ns, other.end_ns) - max(self.start_ns, other.start_ns)

    def covers(self, other: "Wait") -> bool:
        """Whether it lasts for four fifths of the other one."""
        return covers(self.met_ns(other), other.ns)


def longest_rows(
    reading: Reading, states: tuple[int, ...], least_ns: int, most: int
) -> Column:
    """Rows of the states table that last so long; of too many, the longest ones."""
    return _longest(lambda ns: reading.rows_of(states, ns), least_ns, most)


def longest_slices(
    reading: Reading, kinds: tuple[int, ...], least_ns: int, most: int
) -> Column:
    """Slices of these kinds that last so long; of too many, the longest ones."""
    slices, of_kinds = reading.model.trace.slices, reading.kinds(kinds)
    longer = reading.model.trace.engine.longer
    return _longest(
        lambda ns: longer(slices.start_ns, slices.end_ns, of_kinds, ns), least_ns, most
    )


def longest_awaits(
    reading: Reading, is_asked: Column, least_ns: int, most: int
) -> Iterator[tuple[int, int]]:
    """Tasks and their awaits (slices) of what is asked for that last so long; of too many, the
    longest ones."""
    trace, owner = reading.model.trace, reading.model.owners.owner
    slices, awaits = trace.slices, reading.kinds((AWAIT,))
    longer, pick = trace.engine.longer, trace.engine.pick
    found = _longest(
        lambda ns: pick(longer(slices.start_ns, slices.end_ns, awaits, ns), is_asked, _YES),
        least_ns,
        most,
    )
    return ((owner[i], i) for i in found if owner[i] >= 0)


def _longest(lasting: Callable[[int], Column], least_ns: int, most: int) -> Column:
    """Where too many last so long and none lasts twice as long, some of them, evenly."""
    found = lasting(least_ns)
    while len(found) > most:
        least_ns, too_many = max(least_ns * 2, 1), found
        found = lasting(least_ns)
        if not found:
            return numbers(iter(too_many[:: -(-len(too_many) // most)]))
    return found


class Waits:
    """The long waits of a model, in order of begin."""

    @classmethod
    def of(cls, reading: Reading) -> Self:
        """Those of the model, found once."""
        return reading.model.derive(cls, lambda: cls(reading))

    def __init__(self, reading: Reading) -> None:
        self.reading, self.model = reading, reading.model
        self.tree = Tree(reading.model)
        self.all = sorted(
            (*self._of_threads(), *self._of_tasks(_is_for_others)),
            key=lambda wait: wait.start_ns,
        )

    def overlapping(self, wait: Wait) -> Iterator[Wait]:
        """The waits that another one overlaps."""
        high = bisect_left(self.all, wait.end_ns, key=lambda one: one.start_ns)
        return (one for one in self.all[:high] if one.end_ns > wait.start_ns)

    def is_for_one(self, wait: Wait) -> bool:
        """Whether what it waits in was made for this wait alone, as for an answer."""
        offset = self.reading.ledger.waits_of_locks.offset
        if wait.lock < 0:
            return wait.name == "future"
        return offset[wait.lock + 1] - offset[wait.lock] == 1

    def _of_threads(self) -> Iterator[Wait]:
        table, trace = self.model.states, self.model.trace
        joined = Herds.of(self.reading).joined
        rows = longest_rows(self.reading, (LOCK_WAIT, IDLE_WAIT), _LONG_NS, _MOST)
        more = [row for row, ns in joined.items() if table.end_ns[row] - ns >= _LONG_NS]
        for row in (*(row for row in rows if row not in joined), *more):
            i = table.slice[row]
            is_open = bool(trace.slices.unfinished[i])
            name, site = self.reading.wait(row)
            if name in LOCKS and table.state[row] & STATE_MASK == IDLE_WAIT:
                continue  # for a signal: see viewer.trace.signals
            waker = table.waker[row]
            yield Wait(
                ("thread", table.who[row]),
                joined.get(row, table.start_ns[row]),
                table.end_ns[row],
                name,
                site,
                table.row[row],
                is_open or bool(table.state[row] & FAILED),
                is_open,
                False,
                ("thread", waker) if waker >= 0 else None,
                i,
                row,
                tuple(self.reading.stack(i).split("\n")),
            )

    @cached_property
    def for_tasks(self) -> list[Wait]:
        """The long waits of tasks for the end of others, which are not in `all`."""
        return list(self._of_tasks(_is_for_tasks))

    def _of_tasks(self, which: Callable[[str], bool]) -> Iterator[Wait]:
        trace, slices = self.model.trace, self.model.trace.slices
        is_asked = trace.awaiting(which)
        if is_asked is None:
            return
        for task, i in longest_awaits(self.reading, is_asked, _LONG_NS, _MOST):
            what, site = self.reading.awaited(i)
            ended = self.tree.ended_by(task, i)
            row = self.tree.lanes.task_waits.get(i, -1)
            is_open = bool(slices.unfinished[i])
            failed = self.tree.lanes.is_given_up(i)
            yield Wait(
                ("task", task),
                slices.start_ns[i],
                slices.end_ns[i],
                what.removeprefix(s.AWAIT_PREFIX),
                site,
                self.model.states.row[row] if row >= 0 else -1,
                failed or is_open or ended.kind in GIVEN_UP or self.timed_out(ended, task, i),
                is_open,
                ended.kind is Kind.CANCELLED,
                _who(ended.on) if ended.kind is Kind.WAKER else None,
                i,
                row,
                tuple(self.reading.stack(i).split("\n")),
            )

    def gave_up(self, task: int, i: int) -> bool:
        """Whether a time-out or a cancellation ended an await, not what it was for."""
        ended = self.tree.ended_by(task, i)
        return ended.kind in GIVEN_UP or self.timed_out(ended, task, i)

    def timed_out(self, ended: Label, task: int, i: int) -> bool:
        """Whether `asyncio.timeout`, or tornado's own, ended an await that other timers may
        end, too."""
        after = self.tree.lanes.after_await(task, i) if ended.kind is Kind.TIMER else -1
        event = self.model.trace.slices.event[after] if after >= 0 else -1
        args = self.model.trace.args(event) if event >= 0 else {}
        if args.get(s.ARG_VIA) == _ON_TIMEOUT:
            return True
        frames = str(args.get(s.ARG_STACK, "")).split("\n")
        return any(_TORNADO in one and one.endswith(_TORNADOS) for one in frames)

    def free_meanwhile(self, wait: Wait, waiting: Collection[Who]) -> set[Who]:
        """The tasks that could end a wait: they live meanwhile, are not among those that wait
        for the same, and do not only await the end of others."""
        return self.living(wait).difference(waiting) - self.waiting_for_ends(wait)

    def living(self, wait: Wait) -> set[Who]:
        """The tasks of the same process that are there during four fifths of a wait."""
        fifth = wait.ns // 5
        begun = self.begun_by(wait, wait.start_ns + fifth)
        return {who for who in begun if self.ends_ns(who) >= wait.end_ns - fifth}

    def begun_by(self, wait: Wait, at_ns: int) -> Iterator[Who]:
        """The tasks of a wait's process that have begun by a moment."""
        process = self.process(wait.who)
        for task, of in enumerate(self.model.owners.task_process):
            who: Who = ("task", task)
            if of == process and self.begins_ns(who) <= at_ns:
                yield who

    def waiting_for_ends(self, wait: Wait) -> set[Who]:
        """The tasks that await the end of others during four fifths of a wait."""
        fifth = wait.ns // 5
        return {
            other.who
            for other in self.for_tasks
            if other.start_ns <= wait.start_ns + fifth and other.end_ns >= wait.end_ns - fifth
        }

    def process(self, who: Who) -> int:
        kind, which = who
        of = self.model.thread_process if kind == "thread" else self.model.owners.task_process
        return of[which]

    def group(self, who: Who) -> int:
        """A number for all tasks of one coroutine function; -1 for threads."""
        kind, which = who
        return self.model.owners.task_group[which] if kind == "task" else -1

    def kind(self, who: Who) -> tuple[str, str | int]:
        """The same for the tasks of a coroutine, and for the threads of a name."""
        if who[0] == "task":
            return "task", self.group(who)
        return "thread", stem(self.model.thread_names[who[1]])

    def alike(self, who: Who) -> Iterator[Who]:
        """All of the same kind in the same process."""
        kind, process = who[0], self.process(who)
        thread, task = self.model.thread_process, self.model.owners.task_process
        same = self.kind(who)
        for which, of in enumerate(thread if kind == "thread" else task):
            other: Who = (kind, which)
            if of == process and self.kind(other) == same:
                yield other

    def is_main(self, who: Who) -> bool:
        """Whether it is a main thread."""
        kind, which = who
        return kind == "thread" and self.model.threads[which].thread_name == _MAIN

    def begins_ns(self, who: Who) -> int:
        """When a thread or task was first seen."""
        kind, which = who
        if kind == "thread":
            return self.model.states.first_ns[which]
        return self.model.trace.slices.start_ns[self.model.owners.task_head[which]]

    def ends_ns(self, who: Who) -> int:
        """When a thread or task was last seen."""
        kind, which = who
        if kind == "thread":
            return self.model.states.last_ns[which]
        return self.tree.ledger.rows_of_tasks.last_ns(which)


def _is_for_others(name: str) -> bool:
    what = name.removeprefix(s.AWAIT_PREFIX)
    is_here = waited_for(what) in (For.HERE, For.POOL)
    return what != name and is_here and not what.startswith(_NOT_FOR_OTHERS)


def _is_for_tasks(name: str) -> bool:
    what = name.removeprefix(s.AWAIT_PREFIX)
    return what != name and what.startswith(FOR_TASKS)


def _who(on: tuple[str, int] | None) -> Who | None:
    return on if on is not None and on[0] in ("task", "thread") else None
