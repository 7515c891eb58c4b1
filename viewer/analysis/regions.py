"""The program's own regions and tasks: how long they took, and what happened meanwhile."""

from array import array
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import compress
from operator import itemgetter
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.ledger.resource import Waits
from viewer.analysis.spread import Spread, spread_at
from viewer.analysis.threads import STATE_NAMES
from viewer.trace.columns import AWAIT, READY, RUNNING, STATE_MASK, Column
from viewer.trace.model import Model

REGION, TASK = "region", "task"  # tracer.region, tracer.task
AWAITING, UNKNOWN = "await", "unknown"
_TASK_STATES = {READY: s.READY, RUNNING: s.RUNNING, AWAIT: AWAITING}

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


def regions(model: Model) -> tuple[Region, ...]:
    """All of them, in order of begin; the pieces of a region are joined again."""
    return tuple(map(Region, *_Finder(model).find()))


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
    found = _Finder(model).find()
    if not found.start_ns:
        return ()
    names = [*zip(found.kind, found.name, strict=True)]
    numbered = {name: k for k, name in enumerate(dict.fromkeys(names))}
    key = [*map(numbered.__getitem__, names)]
    start, end = _column("q", found.start_ns), _column("q", found.end_ns)
    spread = model.trace.engine.grouped_stats(start, end, _column("i", key), len(numbered))
    states = _states(model, found, key, len(numbered), start, end)
    in_tasks = Counter(compress(key, map((0).__le__, found.task)))
    failed = Counter(compress(key, found.exception))
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


def _states(
    model: Model,
    found: "_Columns",
    key: list[int],
    keys: int,
    start: Column,
    end: Column,
) -> list[dict[str, int]]:
    """By key, how long the owners of its regions were in each state meanwhile."""
    ledger = Ledger.of(model)
    names = list(dict.fromkeys((*_TASK_STATES.values(), *STATE_NAMES.values())))
    spent: list[dict[str, int]] = [{} for _ in range(keys)]
    wanted = [*map(REGION.__eq__, found.kind)]
    for states, lanes, who in (
        (ledger.tasks, found.task, _state_of_slice(model, names)),
        (ledger.states, found.thread, _state_of_row(model, names)),
    ):
        mine = [
            k if is_wanted and lane >= 0 else -1
            for k, lane, is_wanted in zip(key, lanes, wanted, strict=True)
        ]
        waits = Waits(start, end, _column("i", lanes), _column("i", mine), keys)
        charges = states._replace(who=who, whos=len(names)).charge(waits)
        for k, state, ns in zip(charges.key, charges.who, charges.total, strict=True):
            name = names[state] if state < len(names) else UNKNOWN
            spent[k][name] = spent[k].get(name, 0) + ns
    for n, is_wanted in enumerate(wanted):
        if is_wanted and found.task[n] < 0 and found.thread[n] < 0:  # its owner is unknown
            ns = found.end_ns[n] - found.start_ns[n]
            spent[key[n]][UNKNOWN] = spent[key[n]].get(UNKNOWN, 0) + ns
    return [{name: by[name] for name in (*names, UNKNOWN) if by.get(name)} for by in spent]


def _state_of_slice(model: Model, names: list[str]) -> Column:
    table = [
        names.index(_TASK_STATES[kind]) if kind in _TASK_STATES else 0 for kind in range(256)
    ]
    return _column("i", map(table.__getitem__, bytes(model.owners.kind)))


def _state_of_row(model: Model, names: list[str]) -> Column:
    known = {kind: names.index(name) for kind, name in STATE_NAMES.items()}
    table = [known.get(state & STATE_MASK, 0) for state in range(256)]
    return _column("i", map(table.__getitem__, bytes(model.states.state)))


class _Columns(NamedTuple):
    """The fields of regions. There may be one of each request."""

    name: list[str]
    kind: list[str]
    process: list[int]
    thread: list[int]
    task: list[int]
    start_ns: list[int]
    end_ns: list[int]
    operation: list[int]
    exception: list[str]


class _Finder:
    """The regions of a model. The descriptors show which tracks have some."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.trace = model.trace
        symbols = self.trace.symbols
        self.continues = symbols.get(s.ARG_CONTINUES, _ABSENT)
        self.operation = symbols.get(s.ARG_OPERATION, _ABSENT)
        self.exception = symbols.get(s.ARG_EXCEPTION, _ABSENT)
        wanted = {s.CAT_USER: REGION, s.CAT_OPERATION: TASK}
        self.kinds = {symbols[text]: kind for text, kind in wanted.items() if text in symbols}
        tracks = self.trace.tracks
        self.threads = model.threads
        self.parents: dict[int, int] = {}  # user track -> uuid of the track above
        self.lanes: set[int] = set()  # the tracks of operations
        if self.kinds:
            self.parents = {i: tracks.parent_uuid(i) for i in tracks.named(s.TRACK_USER)}
            self.lanes = {*tracks.below(s.TRACK_OPERATIONS)} - {*self.parents}

    def find(self) -> _Columns:
        """All of them, in order of begin; those of one moment by track."""
        if not self.parents and not self.lanes:
            return _Columns(*([] for _ in _Columns._fields))
        events, slices, text = self.trace.events, self.trace.slices, self.trace.text
        pairs = self.pairs()
        pairs.sort(key=lambda pair: slices.start_ns[pair[0]])
        firsts, lasts = ([*map(itemgetter(n), pairs)] for n in (0, 1))
        begins = [*map(slices.event.__getitem__, firsts)]
        starts = [*map(slices.start_ns.__getitem__, firsts)]
        tracks = [*map(events.track.__getitem__, begins)]
        parents = {track: self.parents.get(track, 0) for track in {*tracks}}
        by_uuid = self.threads.by_uuid
        threads = {track: by_uuid.get(parent, -1) for track, parent in parents.items()}
        of_tasks = {track for track, at in parents.items() if at and threads[track] < 0}
        tasks, task_at = [-1] * len(pairs), self.tasks_at() if of_tasks else None
        if task_at is not None:
            for n in compress(range(len(pairs)), map(of_tasks.__contains__, tracks)):
                tasks[n] = task_at(parents[tracks[n]], starts[n])
        numbers, exceptions = [0] * len(pairs), [""] * len(pairs)
        if self.operation >= 0:
            numbers = [max(self.argument(begin, self.operation), 0) for begin in begins]
        if self.exception >= 0:
            ends = map(slices.end_event.__getitem__, lasts)
            exceptions = [text(self.argument(end, self.exception)) for end in ends]
        return _Columns(
            [*map(text, map(events.name.__getitem__, begins))],
            [*map(self.kinds.__getitem__, map(events.category.__getitem__, begins))],
            [*map(self.trace.track_process.__getitem__, tracks)],
            [*map(threads.__getitem__, tracks)],
            tasks,
            starts,
            [*map(slices.end_ns.__getitem__, lasts)],
            numbers,
            exceptions,
        )

    def pairs(self) -> list[tuple[int, int]]:
        """The first and the last piece of each region, by track."""
        events, slices = self.trace.events, self.trace.slices
        mark = memoryview(array("i", bytes(4 * len(events.strings))))
        for category in self.kinds:
            mark[category] = 1
        marked = self.trace.engine.gather(slices.event, events.category, mark)
        rows = [*compress(range(len(marked)), marked)]
        tracks = [*map(events.track.__getitem__, map(slices.event.__getitem__, rows))]
        by_track: dict[int, list[int]] = defaultdict(list)
        for track, row in zip(tracks, rows, strict=True):
            by_track[track].append(row)
        return [pair for track in sorted(by_track) for pair in self.whole(by_track[track])]

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

    def tasks_at(self) -> "_TaskAt":
        """The task on a task's track or lane at a moment."""
        events, slices, owned = self.trace.events, self.trace.slices, self.model.owners
        parents = set(self.parents.values()) - self.threads.by_uuid.keys()
        wanted = bytes(map(parents.__contains__, events.uuids))
        found: dict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        is_state = bytes(owned.kind).translate(
            bytes(kind in _TASK_STATES for kind in range(256))
        )
        for i in compress(range(len(is_state)), is_state):
            track = events.track[slices.event[i]]
            if wanted[track] and owned.owner[i] >= 0:
                starts, tasks = found[events.uuids[track]]
                starts.append(slices.start_ns[i])
                tasks.append(owned.owner[i])
        return _TaskAt(found)


class _TaskAt:
    def __init__(self, found: dict[int, tuple[list[int], list[int]]]) -> None:
        self._found = found

    def __call__(self, track: int, time_ns: int) -> int:
        starts, tasks = self._found.get(track, ((), ()))
        at = bisect_right(starts, time_ns) - 1
        return tasks[at] if at >= 0 else -1
