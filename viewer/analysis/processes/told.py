"""What events tell of the jobs of pools of processes, in columns while they are read."""

from array import array
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import compress, count, filterfalse, repeat
from operator import sub
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.ledger.rows import longs
from viewer.analysis.states import numbered, numbers
from viewer.trace.columns import Column
from viewer.trace.engine import Engine
from viewer.trace.model import Model
from viewer.trace.told import Told

NEVER = -1


class Columns(NamedTuple):
    """The fields of jobs. There may be very many, of which few are shown."""

    pool: Column  # q
    number: Column  # q
    kind: Column  # i: index into Jobs.kinds, the name and site of the function
    process: Column  # i
    thread: Column  # i
    worker: Column  # i
    sender: Column  # i
    receiver: Column  # i
    submit_ns: Column  # q
    sent_ns: Column  # q
    start_ns: Column  # q
    end_ns: Column  # q
    result_ns: Column  # q
    received_ns: Column  # q
    sent_bytes: Column  # q
    result_bytes: Column  # q
    pickled_ns: Column  # q
    exception: Column  # i: string
    is_over: Column  # B

    def part(self, first: int, behind: int) -> "Columns":
        return Columns(*[column[first:behind] for column in self])

    def at(self, engine: Engine, rows: Column) -> "Columns":
        return Columns(*[engine.take(column, rows, 0) for column in self])


# By field of a job its format, and its value where no event tells.
_BLANK = {
    "name": ("i", -1),
    "way": ("i", -1),
    "process": ("i", -1),
    "thread": ("i", -1),
    "worker": ("i", -1),
    "sender": ("i", -1),
    "receiver": ("i", -1),
    "submit_ns": ("q", NEVER),
    "sent_ns": ("q", NEVER),
    "start_ns": ("q", NEVER),
    "end_ns": ("q", NEVER),
    "result_ns": ("q", NEVER),
    "received_ns": ("q", NEVER),
    "sent_bytes": ("q", -1),
    "result_bytes": ("q", -1),
    "pickled_ns": ("q", 0),
    "exception": ("i", -1),
    "is_over": ("B", 0),
}


class Found:
    """The jobs of a trace while they are read: a column for each field, by number."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._pools, self._numbers = array("q"), array("q")  # by job, and its number there
        self._columns: dict[str, Column] = {}
        self._blank: dict[tuple[str, int], Column] = {}  # of jobs without that field

    def read(self, name: str) -> "Read":
        """The instants of that name; each tells of one job."""
        trace = self.model.trace
        of_jobs, mark = bytearray(len(trace.events.strings)), trace.symbol(s.CAT_JOB)
        if mark >= 0:
            of_jobs[mark] = 1
        named = trace.instants(trace.events.name, name)
        events = trace.engine.pick(named, trace.events.category, memoryview(of_jobs))
        return Read(self, events, memoryview(array("i", [-1]) * len(events)))

    def ran(self) -> tuple[Column, "Read"]:
        """The slices on the tracks of workers' jobs."""
        trace = self.model.trace
        engine, events, slices = trace.engine, trace.events, trace.slices
        jobs, rows = trace.tracks.named(s.TRACK_JOBS), engine.upto(0, 0)
        if jobs:
            mark = memoryview(array("i", [0]) * len(events.uuids))
            for track in jobs:
                mark[track] = 1
            of_slice = engine.gather(slices.event, events.track, mark)
            rows = engine.pick(engine.upto(0, len(of_slice)), of_slice, memoryview(b"\0\1"))
        begins, ends = (
            engine.take(column, rows, -1) for column in (slices.event, slices.end_event)
        )
        return rows, Read(self, begins, ends)

    def numbered(self, pools: Column, numbers: Column) -> Sequence[int]:
        """Of each event the number of its job, in order of first sight."""
        if not len(numbers):
            return range(0)
        if not self.size and self._are_of_one_pool(pools, numbers):
            self._pools, self._numbers = array("q", bytes(pools)), array("q", bytes(numbers))
            return range(self.size)
        if bytes(pools) == bytes(self._pools) and bytes(numbers) == bytes(self._numbers):
            return range(self.size)  # as most often: the same jobs, in the same order
        if (jobs := self._in_one_pool(pools, numbers)) is not None:
            return jobs
        known, pairs = self._known, [*zip(pools, numbers, strict=True)]
        fresh = [*filterfalse(known.__contains__, dict.fromkeys(pairs))]
        known.update(zip(fresh, count(self.size), strict=False))
        self._pools.extend(pool for pool, _ in fresh)
        self._numbers.extend(number for _, number in fresh)
        return [*map(known.__getitem__, pairs)]

    def _are_of_one_pool(self, pools: Column, numbers: Column) -> bool:
        """Whether these are different jobs of the same pool."""
        engine, size = self.model.trace.engine, len(numbers)
        (first, last), (least, most) = engine.bounds(pools), engine.bounds(numbers)
        if first != last:
            return False
        if least >= 0 and most <= 4 * size:  # a pool counts them
            return len(engine.distinct(engine.narrow(numbers), most + 1)) == size
        return len({*numbers}) == size

    def _in_one_pool(self, pools: Column, numbers: Column) -> Column | None:
        """The same where all are known, of one pool, and their own numbers are close together:
        then a table has them. None elsewhere."""
        if not self.size:
            return None
        alike = array("q", [self._pools[0]])
        if bytes(pools) != bytes(alike * len(pools)) or self._pools != alike * self.size:
            return None
        bounds = self.model.trace.engine.bounds
        (least, most), (first, last) = bounds(memoryview(self._numbers)), bounds(numbers)
        if most - least > 4 * self.size or first < least or last > most:
            return None
        table = array("i", [-1]) * (most - least + 1)
        for job, number in enumerate(self._numbers):
            table[number - least] = job
        places = memoryview(array("i", map(sub, numbers, repeat(least))))
        jobs = self.model.trace.engine.take(memoryview(table), places, -1)
        return None if -1 in jobs else jobs

    @property
    def size(self) -> int:
        return len(self._pools)

    @cached_property
    def _known(self) -> dict[tuple[int, int], int]:
        """The jobs that are known, by pool and its own number."""
        return dict(zip(zip(self._pools, self._numbers, strict=True), count(), strict=False))

    def put(self, name: str, jobs: Sequence[int], places: Column, values: Column) -> None:
        """What events say of a field of these jobs; the last one counts. `places` has by job
        where that is, -1 without one."""
        if not jobs:
            return
        if jobs == range(self.size):
            self._columns[name] = values
            return
        told, before = self.model.trace.engine.take(values, places, 0), self.column(name)
        silent = map((-1).__eq__, places) if -1 in places else ()
        for job in compress(range(self.size), silent):
            told[job] = before[job]
        self._columns[name] = told

    def column(self, name: str) -> Column:
        """A field of all jobs that are known by now."""
        (form, blank), size = _BLANK[name], self.size
        found = self._columns.get(name)
        if found is None:
            found = self._blank.get((form, blank))
            if found is None or len(found) < size:
                found = self._blank[form, blank] = memoryview(array(form, [blank]) * size)
        elif len(found) < size:
            filled = array(form, found)
            filled.extend(array(form, [blank]) * (size - len(filled)))
            found = self._columns[name] = memoryview(filled)
        return found

    def name_others(self, jobs: Sequence[int], names: Iterable[int]) -> None:
        """Gives jobs without a name the text of that string."""
        column, text = self.column("name"), self.model.trace.text
        if all(map(text, {*column})):
            return
        column = self._columns["name"] = memoryview(array("i", column))
        for job, name in zip(jobs, names, strict=True):
            if not text(column[job]):
                column[job] = name

    def columns(self, sites: Sequence[str]) -> tuple[Columns, list[tuple[str, str]]]:
        """All of them in order of submission, and the kinds of jobs; `sites` by way."""
        engine, text = self.model.trace.engine, self.model.trace.text
        of = {name: self.column(name) for name in _BLANK}
        of |= {"pool": memoryview(self._pools), "number": memoryview(self._numbers)}
        alike = numbered(engine, of["name"], of["way"])
        texts = [
            (text(of["name"][job]), sites[of["way"][job]] if of["way"][job] >= 0 else "")
            for job in alike.head
        ]
        kinds = {kind: n for n, kind in enumerate(dict.fromkeys(texts))}
        kind_of = memoryview(array("i", map(kinds.__getitem__, texts)))
        of["kind"] = engine.take(kind_of, alike.number, -1)
        found = Columns(*map(of.__getitem__, Columns._fields))
        every, since = engine.upto(0, self.size), found.submit_ns
        if len(engine.known(since, since)) < self.size:
            since = longs(
                submitted if submitted >= 0 else sent if sent >= 0 else max(start, 0)
                for submitted, sent, start in zip(
                    found.submit_ns, found.sent_ns, found.start_ns, strict=True
                )
            )
        order = engine.ranked(engine.ranked(every, found.number, 0), since, 0)
        first, last = engine.bounds(found.pool)
        if first < last:
            pools = dict.fromkeys(map(found.pool.__getitem__, order))
            places = {pool: place for place, pool in enumerate(pools)}
            order = engine.ranked(order, longs(map(places.__getitem__, found.pool)), 0)
        if order != every:
            found = found.at(engine, order)
        return found, [*kinds]


class Read(Told):
    """Events that tell of jobs, in columns."""

    def __init__(self, found: Found, events: Column, ends: Column) -> None:
        super().__init__(found.model.trace, events, ends)
        self._found = found
        pools, numbers = self.numbers(s.ARG_POOL, -1), self.numbers(s.ARG_JOB, -1)
        self.jobs = found.numbered(pools, numbers)

    def put(self, **columns: Column) -> None:
        jobs, size = numbers(self.jobs), self._found.size
        places = self._trace.engine.spans(self.times, jobs, size).last
        for name, values in columns.items():
            self._found.put(name, self.jobs, places, values)

    @property
    def times(self) -> Column:
        return self._trace.engine.take(self._trace.events.time_ns, self.events, NEVER)

    @property
    def processes(self) -> Column:
        events, of = self._trace.events, self._trace.track_process
        return self._trace.engine.gather(self.events, events.track, of)

    @property
    def threads(self) -> Column:
        trace, by_track = self._trace, self._found.model.threads.of_track
        return trace.engine.gather(self.events, trace.events.track, by_track)
