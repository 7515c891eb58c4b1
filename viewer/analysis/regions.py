"""The program's own regions and tasks: how long they took, and what happened meanwhile."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import compress
from operator import eq
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.ledger.resource import Resource, Waits
from viewer.analysis.spread import Spread, spread_at
from viewer.analysis.threads import STATE_NAMES
from viewer.trace.columns import AWAIT, READY, RUNNING, STATE_MASK, Column
from viewer.trace.engine import Engine
from viewer.trace.model import Model
from viewer.trace.told import Told

REGION, TASK = "region", "task"  # tracer.region, tracer.task
AWAITING, UNKNOWN = "await", "unknown"
_TASK_STATES = {READY: s.READY, RUNNING: s.RUNNING, AWAIT: AWAITING}

_KINDS = {s.CAT_USER: REGION, s.CAT_OPERATION: TASK}
_ABSENT = -2  # not a string of the trace

type Span = tuple[int, int]  # from, until, in ns


class Region(NamedTuple):
    """A tracer.region or tracer.task. For a region, `thread` or `task` is an index, else -1.

    `operation` is the number of the tracer.task that it is, or is part of; 0 without one.
    """

    name: str
    kind: str
    process: int
    thread: int
    task: int
    start_ns: int
    end_ns: int
    operation: int
    exception: str


class Interval(NamedTuple):
    """A time in which a task or a thread is within regions of one name."""

    process: int
    thread: int  # -1: of a task
    task: int  # -1: of a thread
    start_ns: int
    end_ns: int


class RegionRow(NamedTuple):
    """All regions, or tasks, of a name; one inside another of the same name counts again.

    `states` adds up to the total of regions: what the asyncio task did meanwhile (running,
    ready, await), or the thread (the states of a thread), or unknown. It is empty for tasks.
    """

    name: str
    kind: str
    count: int  # type: ignore[assignment]
    in_tasks: int  # how many of them are in asyncio tasks
    failed: int  # how many an exception left
    wall: Spread
    states: dict[str, int]


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same times, in order, without overlaps."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return found


def has_regions(model: Model) -> bool:
    return len(_found(model).start_ns) > 0


def regions(model: Model) -> tuple[Region, ...]:
    """All of them, in order of begin; the pieces of a region are joined again."""
    found, text = _found(model), model.trace.text
    names, kinds = map(text, found.name), map(_KINDS.__getitem__, map(text, found.kind))
    return tuple(map(Region, names, kinds, *found[2:-1], map(text, found.exception)))


def intervals(model: Model, name: str) -> tuple[Interval, ...]:
    """The times of regions called `name`, by thread and task; overlapping ones are joined."""
    spans: dict[tuple[int, int, int], list[Span]] = defaultdict(list)
    for region in regions(model):
        if region.name == name and region.kind == REGION:
            owner = region.process, region.thread, region.task
            spans[owner].append((region.start_ns, region.end_ns))
    return tuple(
        Interval(*owner, start, end)
        for owner in sorted(spans)
        for start, end in merged(spans[owner])
    )


def region_rows(model: Model) -> tuple[RegionRow, ...]:
    """One row per name, the one with the most time first; tasks before regions."""
    found, engine, text = _found(model), model.trace.engine, model.trace.text
    if not found.start_ns:
        return ()
    alike = engine.pairs(found.kind, found.name)
    names = [(_KINDS[text(found.kind[n])], text(found.name[n])) for n in alike.head]
    numbered = {name: k for k, name in enumerate(dict.fromkeys(names))}
    number_of = _column("i", map(numbered.__getitem__, names))
    key, keys = engine.take(number_of, alike.number, -1), len(numbered)
    spread = engine.grouped_stats(found.start_ns, found.end_ns, key, keys)
    wanted = engine.take(
        _column("i", (k if kind == REGION else -1 for k, (kind, _) in enumerate(numbered))),
        key,
        -1,
    )
    states = _states(model, found, wanted, keys)
    in_tasks = Counter(map(key.__getitem__, _having(engine, found.task)))
    failed = Counter(compress(key, map(text, found.exception)))
    rows = [
        RegionRow(
            name,
            kind,
            spread.count[k],
            in_tasks[k],
            failed[k],
            spread_at(spread, k),
            states[k] if kind == REGION else {},
        )
        for (kind, name), k in numbered.items()
    ]
    rows.sort(key=lambda row: (row.kind == REGION, -row.wall.total_ns, row.name))
    return tuple(rows)


def _column(form: str, values: Iterable[int]) -> Column:
    return memoryview(array(form, values))


def _having(engine: Engine, column: Column) -> Column:
    """The rows that have a value."""
    every = engine.upto(0, len(column))
    return engine.pick(every, column, memoryview(b"\1" * (max(column, default=-1) + 1)))


def _states(model: Model, found: "_Columns", key: Column, keys: int) -> list[dict[str, int]]:
    """By key, how long the owners of its regions were in each state meanwhile."""
    ledger, engine = Ledger.of(model), model.trace.engine
    names = list(dict.fromkeys((*_TASK_STATES.values(), *STATE_NAMES.values())))
    spent: list[dict[str, int]] = [{} for _ in range(keys)]
    of_tasks, of_threads = _having(engine, found.task), _having(engine, found.thread)
    for lane, rows, resource, state_of in (
        (found.task, of_tasks, "tasks", _state_of_slice),
        (found.thread, of_threads, "states", _state_of_row),
    ):
        if not rows:
            continue
        start_ns, end_ns, lanes, counted = (
            engine.take(column, rows, -1)
            for column in (found.start_ns, found.end_ns, lane, key)
        )
        waits = Waits(start_ns, end_ns, lanes, counted, keys)
        states: Resource = getattr(ledger, resource)
        who = state_of(model, names)
        charges = states._replace(who=who, whos=len(names)).charge(waits)
        for k, state, ns in zip(charges.key, charges.who, charges.total, strict=True):
            name = names[state] if state < len(names) else UNKNOWN
            spent[k][name] = spent[k].get(name, 0) + ns
    if len(of_tasks) + len(of_threads) < len(key):
        owned = zip(key, found.task, found.thread, found.start_ns, found.end_ns, strict=True)
        for k, task, thread, since_ns, until_ns in owned:
            if k >= 0 and task < 0 and thread < 0:  # its owner is unknown
                spent[k][UNKNOWN] = spent[k].get(UNKNOWN, 0) + until_ns - since_ns
    return [{name: by[name] for name in (*names, UNKNOWN) if by.get(name)} for by in spent]


def _state_of_slice(model: Model, names: list[str]) -> Column:
    table = (
        names.index(_TASK_STATES[kind]) if kind in _TASK_STATES else 0 for kind in range(256)
    )
    return model.trace.engine.take(_column("i", table), model.owners.kind, 0)


def _state_of_row(model: Model, names: list[str]) -> Column:
    known = {kind: names.index(name) for kind, name in STATE_NAMES.items()}
    table = (known.get(state & STATE_MASK, 0) for state in range(256))
    return model.trace.engine.take(_column("i", table), model.states.state, 0)


class _Columns(NamedTuple):
    """The fields of regions. There may be one of each request."""

    name: Column  # i: string
    kind: Column  # i: string, a category
    process: Column  # i
    thread: Column  # i
    task: Column  # i
    start_ns: Column  # q
    end_ns: Column  # q
    operation: Column  # q
    exception: Column  # i: string


def _found(model: Model) -> _Columns:
    return model.derive(_Columns, _Finder(model).find)


class _Finder:
    """The regions of a model. The descriptors show which tracks have some."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.trace = model.trace
        symbol = self.trace.symbol(s.ARG_CONTINUES)
        self.continues = symbol if symbol >= 0 else _ABSENT
        self.kinds = [kind for text in _KINDS if (kind := self.trace.symbol(text)) >= 0]
        tracks = self.trace.tracks
        self.threads = model.threads
        self.parents: dict[int, int] = {}  # user track -> uuid of the track above
        self.has_lanes = False  # tracks of operations
        if self.kinds:
            named = tracks.named(s.TRACK_USER)
            self.parents = dict(zip(named, tracks.parent_uuids(named), strict=True))
            lanes = tracks.below(s.TRACK_OPERATIONS)
            self.has_lanes = not self.parents.keys() >= {*lanes}

    def find(self) -> _Columns:
        """All of them, in order of begin; those of one moment by track."""
        if not self.parents and not self.has_lanes:
            return _Columns(*(_column(form, ()) for form in "iiiiiqqqi"))
        trace, engine = self.trace, self.trace.engine
        events, slices = trace.events, trace.slices
        firsts, lasts = self.pairs()
        begins, starts = (
            engine.take(column, firsts, -1) for column in (slices.event, slices.start_ns)
        )
        tracks = engine.take(events.track, begins, -1)
        above, threads = self.above()
        ends = engine.take(slices.end_event, lasts, -1)
        told = Told(trace, begins, ends)
        return _Columns(
            engine.take(events.name, begins, -1),
            engine.take(events.category, begins, -1),
            engine.take(trace.track_process, tracks, -1),
            engine.take(threads, tracks, -1),
            self.tasks_at(engine.take(above, tracks, -1), starts),
            starts,
            engine.take(slices.end_ns, lasts, -1),
            told.numbers(s.ARG_OPERATION, 0),
            told.strings(s.ARG_EXCEPTION),
        )

    def above(self) -> tuple[Column, Column]:
        """By event track the tasks' track, and the thread, that its regions are of; or -1."""
        uuids = self.trace.events.uuids
        tasks, threads = (_column("i", [-1] * len(uuids)) for _ in range(2))
        track_of, by_uuid = (
            dict(zip(uuids, range(len(uuids)), strict=True)),
            self.threads.by_uuid,
        )
        for track, parent in self.parents.items():
            if parent in by_uuid:
                threads[track] = by_uuid[parent]
            else:
                tasks[track] = track_of.get(parent, -1)
        return tasks, threads

    def pairs(self) -> tuple[Column, Column]:
        """The first and the last piece of each region, in order of begin, then by track."""
        engine, events, slices = self.trace.engine, self.trace.events, self.trace.slices
        mark = bytearray(len(events.strings))
        for category in self.kinds:
            mark[category] = 1
        every = engine.upto(0, len(events.strings))
        of_slice = engine.gather(slices.event, events.category, every)
        rows = engine.pick(engine.upto(0, len(of_slice)), of_slice, memoryview(mark))
        starts = engine.take(slices.start_ns, rows, -1)
        if self.continues == _ABSENT and not any(map(eq, starts, starts[1:])):
            return rows, rows
        by_track: dict[int, list[int]] = defaultdict(list)
        tracks = engine.take(events.track, engine.take(slices.event, rows, -1), -1)
        for track, row in zip(tracks, rows, strict=True):
            by_track[track].append(row)
        pairs = [pair for track in sorted(by_track) for pair in self.whole(by_track[track])]
        pairs.sort(key=lambda pair: slices.start_ns[pair[0]])
        return _column("i", (a for a, _ in pairs)), _column("i", (b for _, b in pairs))

    def argument(self, event: int, name: int) -> int:
        """The number or string of an argument; -1 when the event does not have it."""
        events = self.trace.events
        if event < 0 or name == _ABSENT:
            return -1
        for at in range(events.arg_start[event], events.arg_start[event + 1]):
            if events.arg_name[at] == name:
                return int(events.arg_value[at])
        return -1

    def whole(self, pieces: list[int]) -> Iterable[tuple[int, int]]:
        """The first and last piece of each region. One that outlives the region around it
        continues as another piece, without gap."""
        found: list[list[int]] = []
        if self.continues == _ABSENT:
            return zip(pieces, pieces, strict=True)
        slices, events = self.trace.slices, self.trace.events
        cut: dict[tuple[int, int], list[list[int]]] = defaultdict(list)  # by name, end
        for i in pieces:
            name, start_ns = events.name[slices.event[i]], slices.start_ns[i]
            earlier = cut.get((name, start_ns))
            if earlier and self.argument(slices.event[i], self.continues) > 0:
                region = earlier.pop(0)  # the outer one continues first, as it began first
                region.append(i)
            else:
                region = [i]
                found.append(region)
            cut[name, slices.end_ns[i]].append(region)
        return [(region[0], region[-1]) for region in found]

    def tasks_at(self, tracks: Column, time_ns: Column) -> Column:
        """The tasks on tracks of tasks at moments; -1 without one."""
        engine, slices, owned = self.trace.engine, self.trace.slices, self.model.owners
        events, count = self.trace.events, len(self.trace.events.uuids)
        wanted = _column("i", [0] * count)
        for track in engine.distinct(tracks, count):
            wanted[track] = 1
        kinds = bytes(owned.kind).translate(bytes(kind in _TASK_STATES for kind in range(256)))
        every = engine.upto(0, len(owned.task_id))
        tasks = engine.group_keys(memoryview(kinds), owned.owner, every, 1)
        mine = engine.gather(slices.event, events.track, wanted)
        rows = engine.pick(engine.upto(0, len(mine)), mine, memoryview(b"\0\1"))
        rows = engine.pick(rows, tasks, memoryview(b"\1" * len(every)))
        starts = engine.take(slices.start_ns, rows, -1)
        on = engine.take(events.track, engine.take(slices.event, rows, -1), -1)
        found = engine.latest(starts, on, time_ns, tracks, count)
        return engine.take(tasks, engine.take(rows, found, -1), -1)
