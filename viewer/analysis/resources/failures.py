"""Exceptions that the program's calls raised, answers that are errors, and what ran there."""

from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache, cached_property, lru_cache
from itertools import pairwise
from operator import sub
from typing import NamedTuple, Self

from tracer import schema as s
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.rows import longs
from viewer.analysis.resources.reading import Reading
from viewer.analysis.resources.waits import longest_rows, longest_slices
from viewer.analysis.states import numbered, numbers
from viewer.trace.columns import AWAIT, IO, LOOP_TASK, SLEEP, STATE_MASK, Column
from viewer.trace.engine import Engine
from viewer.trace.sites import innermost, place_of
from viewer.trace.told import Told

_SLEEP, _PAUSES = "sleep", (" sleep", ".sleep")
_MOST = 50_000  # calls that are looked at, the longest ones


class Failure(NamedTuple):
    """`raised`: the frame that raised it, "" of an answer; `unseen`: how many before it were
    not written."""

    who: Who
    at_ns: int
    raised: str
    unseen: int

    @property
    def is_answer(self) -> bool:
        return not self.raised


class Call(NamedTuple):
    start_ns: int
    end_ns: int
    site: str  # the line of the program
    stack: str
    is_pause: bool


class Calls:
    """All of somebody. Many lines may fail in turn: each looks only at its own."""

    def __init__(self, every: list[Call]) -> None:
        self.every = every
        self.starts = [call.start_ns for call in every]

    @cached_property
    def _within(self) -> dict[tuple[str, str], list[int]]:
        """By file and function the calls made there or further in."""
        functions, found = cache(_functions), defaultdict[tuple[str, str], list[int]](list)
        for n, call in enumerate(self.every):
            for function in functions(call.site, call.stack):
                found[function].append(n)
        return found

    def within(self, site: str) -> Iterator[tuple[Call, Call | None]]:
        """Those in the function of a line or further in, each with the next one of all."""
        path, _, function = place_of(site)
        for n in self._within.get((path, function), ()):
            yield self.every[n], self.every[n + 1] if n + 1 < len(self.every) else None


def _functions(site: str, stack: str) -> set[tuple[str, str]]:
    places = map(place_of, (site, *stack.split("\n")))
    return {(path, function) for path, _, function in places}


class _Kind(NamedTuple):
    """What failures at one stack have in common."""

    site: str
    how: str
    raised: str


class _Noted(NamedTuple):
    """All failures of threads, in columns; there may be a million."""

    thread: Column
    at_ns: Column
    unseen: Column
    kind: Column
    kinds: list[_Kind]


class Crowd:
    """How many are in calls at a line at a time, and who ever was."""

    def __init__(self, engine: Engine, calls: Iterable[tuple[Who, Call]]) -> None:
        found = list(calls)
        self.whos = {who for who, _ in found}
        self._engine = engine
        self._starts = longs(sorted(call.start_ns for _, call in found))
        self._ends = longs(sorted(call.end_ns for _, call in found))

    def each(self, times_ns: Iterable[int]) -> list[int]:
        """How many at each of some times, which are in order."""
        times, latest = longs(times_ns), self._engine.latest
        none = memoryview(bytes(4 * max(len(times), len(self._starts)))).cast("i")
        of = (none[: len(self._starts)], times, none[: len(times)], 1)
        return [*map(sub, latest(self._starts, *of), latest(self._ends, *of))]

    @cached_property
    def most(self) -> int:
        return max(self.each(self._starts), default=0)

    def full_ns(self, many: int, since_ns: int, until_ns: int) -> int:
        """For how long of that time so many are."""
        marks = sorted({since_ns, until_ns, *self._within(since_ns, until_ns)})
        each = zip(self.each(marks[:-1]), pairwise(marks), strict=True)
        return sum(end - start for there, (start, end) in each if there >= many)

    def _within(self, since_ns: int, until_ns: int) -> list[int]:
        return [
            at
            for every in (self._starts, self._ends)
            for at in every[bisect_left(every, since_ns) : bisect_left(every, until_ns)]
        ]


class Failures:
    """What a trace tells of failures, by line of the program and class or status."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self._calls = dict[Who, Calls]()
        self.crowd_at = cache(self._find_crowd)

    @classmethod
    def of(cls, reading: Reading) -> Self:
        """The model's, read once."""
        return reading.model.derive(cls, lambda: cls(reading))

    @cached_property
    def _noted(self) -> _Noted:
        trace, threads = self.reading.model.trace, self.reading.model.threads.of_track
        engine, track = trace.engine, trace.events.track
        of_threads = memoryview(bytes(thread >= 0 for thread in threads))
        noted = trace.instants(trace.events.name, s.RAISED, s.ERROR_RESPONSE)
        events = engine.pick(noted, track, of_threads)
        told = Told(trace, events)
        stacks, classes = told.strings(s.ARG_STACK), told.strings(s.ARG_EXCEPTION)
        statuses = engine.narrow(told.numbers(s.ARG_STATUS, 0))
        kinds = numbered(engine, numbered(engine, stacks, classes).number, statuses)
        return _Noted(
            engine.take(threads, engine.take(track, events, -1), -1),
            engine.take(trace.events.time_ns, events, 0),
            told.numbers(s.ARG_OMITTED, 0),
            kinds.number,
            [
                _kind(trace.text(stacks[n]), trace.text(classes[n]), statuses[n])
                for n in kinds.head
            ],
        )

    @cached_property
    def by_line(self) -> dict[tuple[str, str], Column]:
        """Their numbers, in order of time."""
        noted, lines = self._noted, dict[tuple[str, str], int]()
        of_kind = [
            lines.setdefault((kind.site, kind.how), len(lines)) if kind.site else -1
            for kind in noted.kinds
        ]
        engine, none = self.reading.model.trace.engine, memoryview(bytes(len(noted.kind)))
        line = engine.take(numbers(of_kind), noted.kind, -1)
        found = engine.lanes(noted.at_ns, noted.at_ns, none, line, len(lines))
        return {key: found.of(n) for key, n in lines.items()}

    def told(self, which: Column) -> list[Failure]:
        """What these are."""
        noted, take = self._noted, self.reading.model.trace.engine.take
        columns = (self._tasks, noted.thread, noted.at_ns, noted.kind, noted.unseen)
        each = zip(*(take(column, which, -1) for column in columns), strict=True)
        return [
            Failure(
                ("task", task) if task >= 0 else ("thread", thread),
                at_ns,
                noted.kinds[kind].raised,
                unseen,
            )
            for task, thread, at_ns, kind, unseen in each
        ]

    @cached_property
    def _tasks(self) -> Column:
        """The tasks that ran there; -1 of none."""
        noted, ledger, owners = self._noted, self.reading.ledger, self.reading.model.owners
        found, loops = array("i", [-1]) * len(noted.kind), ledger.loops_without_gc
        none, threads = memoryview(bytes(len(found))), len(self.reading.model.threads)
        lanes = loops.engine.lanes(noted.at_ns, noted.at_ns, none, noted.thread, threads)
        for thread, lane in ledger.lane_of_thread.items():
            places = lanes.places(thread)
            times = lanes.start_ns[places.start : places.stop]
            for n, row in zip(lanes.of(thread), loops.rows_at(lane, times), strict=True):
                if 0 <= row < len(owners.kind) and owners.kind[row] == LOOP_TASK:
                    found[n] = owners.owner[row]
        return memoryview(found)

    def has_calls(self, site: str, which: Column) -> bool:
        """Whether any of those who failed may have called or awaited something there."""
        threads = {*self.reading.model.trace.engine.take(self._noted.thread, which, -1)}
        on_loops = self.reading.ledger.lane_of_thread
        return site in self._at or not threads.isdisjoint(on_loops)

    @cached_property
    def _rows(self) -> memoryview:
        return longest_rows(self.reading, (IO, SLEEP), 0, _MOST)

    @cached_property
    def _called(self) -> dict[int, Call]:
        """By row; those of a line are also some thread's."""
        trace, table, rows = self.reading.model.trace, self.reading.model.states, self._rows
        take, slices = trace.engine.take, trace.engine.take(table.slice, rows, -1)
        events = (take(of, slices, -1) for of in (trace.slices.event, trace.slices.end_event))
        of_rows = zip(
            take(table.start_ns, rows, 0),
            take(table.end_ns, rows, 0),
            map(trace.text, take(table.call_site, take(table.row, rows, -1), -1)),
            Told(trace, *events).texts(s.ARG_STACK),
            [state & STATE_MASK == SLEEP for state in take(table.state, rows, 0)],
            strict=True,
        )
        return dict(zip(rows, map(Call._make, of_rows), strict=True))

    @cached_property
    def _rows_of(self) -> dict[int, list[int]]:
        """By thread."""
        who_of, found = self.reading.model.states.who, defaultdict[int, list[int]](list)
        for row in self._rows:
            found[who_of[row]].append(row)
        return found

    def calls_of(self, who: Who) -> Calls:
        """What somebody waited for in calls, asleep or awaited, in order of time."""
        if who not in self._calls:
            rows = self._rows_of.get(who[1], ()) if who[0] == "thread" else ()
            awaits = self.reading.awaits_of_task(who[1]) if who[0] == "task" else ()
            found = sorted((*map(self._called.__getitem__, rows), *map(self._awaited, awaits)))
            self._calls[who] = Calls(found)
        return self._calls[who]

    def _find_crowd(self, site: str) -> Crowd:
        """Whoever called or awaited something at a line of the program."""
        owner, who_of = self.reading.model.owners.owner, self.reading.model.states.who
        rows, awaits = self._at.get(site, ((), ()))
        return Crowd(
            self.reading.model.trace.engine,
            [
                *((("thread", who_of[row]), self._called[row]) for row in rows),
                *((("task", owner[i]), self._awaited(i)) for i in awaits),
            ],
        )

    @cached_property
    def _at(self) -> dict[str, tuple[list[int], list[int]]]:
        """By line the rows of calls, and the slices of awaits."""
        reading, found = self.reading, dict[str, tuple[list[int], list[int]]]()
        for row, call in self._called.items():
            found.setdefault(call.site, ([], []))[0].append(row)
        for i in longest_slices(reading, (AWAIT,), 0, _MOST):
            if reading.model.owners.owner[i] >= 0:
                found.setdefault(reading.awaited(i)[1], ([], []))[1].append(i)
        return found

    def _awaited(self, i: int) -> Call:
        slices, stack = self.reading.model.trace.slices, self.reading.stack(i)
        site = self.reading.awaited(i)[1]
        is_pause = self.reading.what(i) == _SLEEP or pauses(stack)
        return Call(slices.start_ns[i], slices.end_ns[i], site, stack, is_pause)


@lru_cache(maxsize=4096)
def pauses(stack: str) -> bool:
    """Whether an await, however its library calls it, is a pause."""
    return stack.partition("\n")[0].endswith(_PAUSES)


def _kind(stack: str, exception: str, status: int) -> _Kind:
    lines = stack.split("\n")
    return _Kind(
        innermost(lines),
        f"HTTP {status}" if status else exception,
        "" if status else lines[0],
    )


@lru_cache(maxsize=65536)
def is_within(stack: str, site: str, *, below: bool = False) -> bool:
    """Whether the function of a line is one of the callers in a stack; `below`: further down
    in it, as what handles its exceptions is."""
    path, line, function = place_of(site)
    start, end = f"{path}:", f" {function}"
    return any(
        not below or place_of(frame).line > line
        for frame in stack.split("\n")
        if frame.startswith(start) and frame.endswith(end)
    )
