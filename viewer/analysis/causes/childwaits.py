"""Which calls and sleeps of threads were for the end of a child process."""

import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Container, Iterator, Mapping
from functools import cache, cached_property
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.processes.family import Family
from viewer.analysis.processes.notes import notes
from viewer.analysis.states import groups, keys, numbers
from viewer.trace.columns import (
    IDLE_WAIT,
    IO,
    LOCK_WAIT,
    SLEEP,
    STATE_MASK,
    Column,
)
from viewer.trace.model import Model
from viewer.trace.sites import is_library
from viewer.trace.users import name_args

WAITS = (LOCK_WAIT, IDLE_WAIT, IO, SLEEP)
LONG_NS = 1_000_000  # what is shorter does not come between a wait and what it brought
_MAY_WAIT = re.compile(r"wait|poll|select|read", re.IGNORECASE)
_MOST_LOOKS = 64  # rows of a library that sleeps and looks whether a child has ended


type _IsPoll = Callable[[int, int], bool]  # of a thread and a row


class Child(NamedTuple):
    """A child process; `process` is -1 if it was not recorded."""

    process: int
    pid: int
    name: str


class ChildWaits(Mapping[int, Child]):
    """By row of a call or sleep the child for whose end it was. There may be very many: each
    child is made when somebody asks for it."""

    def __init__(
        self, model: Model, loops: Container[int], is_poll: _IsPoll, others: Container[int]
    ) -> None:
        """`loops` are threads, `others` rows that a message ended."""
        self._model, self._family = model, Family.of(model)
        self._told = self._family.ended
        begun, said = notes(model, s.SPAWN)
        spawned = begun.before(model, self._told)
        take = model.trace.engine.take
        self._since = take(begun.time_ns, spawned, 0)
        self._command = take(said.strings(s.ARG_COMMAND), spawned, -1)
        self._spawned = spawned
        told = self._told
        self._process = self._family.children_at(told.process, told.pid, told.time_ns)
        self._of_row = self._find(loops, is_poll, others) if len(told.event) else {}
        self._made = cache(self._make)

    def __getitem__(self, row: int) -> Child:
        return self._made(self._of_row[row])

    def __contains__(self, row: object) -> bool:
        return row in self._of_row

    def __iter__(self) -> Iterator[int]:
        return iter(self._of_row)

    def __len__(self) -> int:
        return len(self._of_row)

    def _make(self, note: int) -> Child:
        return Child(self._process[note], self._told.pid[note], self._name(note))

    def _name(self, note: int) -> str:
        if (process := self._process[note]) >= 0:
            return self._family.names[process]
        if self._spawned[note] >= 0:
            return self._model.trace.text(self._command[note])
        return f"pid {self._told.pid[note]}"

    def names_of_calls(self) -> dict[int, tuple[str, ...]]:
        """By row of the table of calls the names of the children that it waited for."""
        call, found = self._model.states.row, dict[int, dict[str, None]]()
        for row in sorted(self._of_row):
            found.setdefault(call[row], {})[self._name(self._of_row[row])] = None
        return {call: tuple(names) for call, names in found.items()}

    def between(self, thread: int, since_ns: int, until_ns: int) -> Child | None:
        """The child of whose end a thread was told last in that time."""
        rows, times = self._by_thread.get(thread, numbers(())), self._told.time_ns
        at = bisect_right(rows, until_ns, key=times.__getitem__) - 1
        return self._made(rows[at]) if at >= 0 and times[rows[at]] >= since_ns else None

    @cached_property
    def _by_thread(self) -> dict[int, Column]:
        threads, engine = len(self._model.threads), self._model.trace.engine
        return dict(enumerate(groups(engine, self._told.thread, threads)))

    def _find(
        self, loops: Container[int], is_poll: _IsPoll, others: Container[int]
    ) -> dict[int, int]:
        """By row what ended it: the thread's last wait before it was told of an end, with the
        short ones after it. Where a library looks again and again, all of them at that place.
        None before it was told of another end, or had started the child."""
        model, told, found = self._model, self._told, dict[int, int]()
        engine, table, count = model.trace.engine, model.states, len(model.threads)
        mark = bytearray(count)
        for thread in {*told.thread} - {-1}:
            mark[thread] = 1
        every, take = engine.upto(0, count), engine.take
        who = keys(model, lambda state: state & STATE_MASK in WAITS, table.who, every)
        rows = engine.pick(engine.upto(0, len(who)), who, memoryview(mark))
        starts, ends = take(table.start_ns, rows, -1), take(table.end_ns, rows, -1)
        state, site = take(table.state, rows, 0), take(table.site, rows, -1)
        of = take(who, rows, -1)
        rank = memoryview(array("q", range(len(rows))))
        back = memoryview(array("q", range(-1, len(rows) - 1)))
        before = engine.latest(rank, of, back, of, count)  # the wait of that thread
        last = engine.latest(starts, of, told.time_ns, told.thread, count)
        is_library, may_wait = self._libraries(rows), self._may_wait()
        ended_ns = take(self._family.end_ns, self._process, -1)
        told_ns = array("q", bytes(8 * count))  # by thread when it was told of an end before
        for note, thread in enumerate(told.thread):
            if thread < 0:
                continue
            at, looks, place = last[note], 0, -1
            since, until = max(told_ns[thread], self._since[note]), ended_ns[note]
            told_ns[thread] = told.time_ns[note]
            while at >= 0 and starts[at] >= since:
                row, base = rows[at], state[at] & STATE_MASK
                if base not in (IO, SLEEP) or (looks and site[at] != place):
                    break
                if thread in loops and is_poll(thread, row):
                    break
                # Not where the program itself asks somebody else, or sleeps, and began to do
                # so when the child had ended (-1: that is unknown).
                is_late = until >= 0 and starts[at] > until
                if not is_library[at] and (
                    not may_wait[table.row[row]] if base == IO else is_late
                ):
                    break
                if row not in others:
                    found[row] = note
                if ends[at] - starts[at] >= LONG_NS:
                    if looks > _MOST_LOOKS:
                        break
                    place, looks = site[at], looks + 1
                at = before[at]
        return found

    def _libraries(self, rows: Column) -> Column:
        """By row 1 if a library waits there, else 0."""
        trace, take = self._model.trace, self._model.trace.engine.take
        symbol, mark = trace.symbol(s.ARG_STACK), bytearray(len(trace.events.strings))
        if symbol < 0:
            return memoryview(bytes(len(rows)))
        at = take(name_args(trace, symbol), take(self._model.states.slice, rows, -1), -1)
        stacks = trace.engine.narrow(take(trace.events.arg_value, at, -1))
        for stack in trace.engine.distinct(stacks, len(mark)):
            mark[stack] = is_library(trace.text(stack).partition("\n")[0])
        return take(memoryview(mark), stacks, 0)

    def _may_wait(self) -> bytes:
        """By call 1 if its name may be that of a wait for a child."""
        names, text = self._model.states.call_name, self._model.trace.text
        found = {name: _MAY_WAIT.search(text(name)) is not None for name in {*names}}
        return bytes(map(found.__getitem__, names))
