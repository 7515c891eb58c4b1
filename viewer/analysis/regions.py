"""The program's own regions and tasks: how long they took, and what happened meanwhile."""

from array import array
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import compress
from operator import attrgetter
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


@dataclass(frozen=True, slots=True)
class Interval:
    """A time in which a task or a thread is within regions of one name."""

    process: int
    thread: int  # -1: of a task
    task: int  # -1: of a thread
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class RegionRow:
    """All regions, or tasks, of a name; one inside another of the same name counts again.

    `states` adds up to the total of regions: what the asyncio task did meanwhile (running,
    ready, await), or the thread (the states of a thread), or unknown. It is empty for tasks.
    """

    name: str
    kind: str
    count: int
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
    return tuple(sorted(_Finder(model).find(), key=attrgetter("start_ns")))


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
    found = regions(model)
    if not found:
        return ()
    numbered: dict[tuple[str, str], int] = {}
    key = [numbered.setdefault((each.kind, each.name), len(numbered)) for each in found]
    of_field = [*zip(*found, strict=True)]
    start, end = (
        _column("q", of_field[Region._fields.index(field)]) for field in ("start_ns", "end_ns")
    )
    spread = model.trace.engine.grouped_stats(start, end, _column("i", key), len(numbered))
    states = _states(model, found, key, len(numbered), start, end)
    in_tasks = Counter(k for k, each in zip(key, found, strict=True) if each.task >= 0)
    failed = Counter(k for k, each in zip(key, found, strict=True) if each.exception)
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
    found: tuple[Region, ...],
    key: list[int],
    keys: int,
    start: Column,
    end: Column,
) -> list[dict[str, int]]:
    """By key, how long the owners of its regions were in each state meanwhile."""
    ledger = Ledger.of(model)
    names = list(dict.fromkeys((*_TASK_STATES.values(), *STATE_NAMES.values())))
    spent: list[dict[str, int]] = [{} for _ in range(keys)]
    wanted = [each.kind == REGION for each in found]
    for states, lanes, who in (
        (ledger.tasks, [each.task for each in found], _state_of_slice(model, names)),
        (ledger.states, [each.thread for each in found], _state_of_row(model, names)),
    ):
        mine = [
            k if is_wanted and lane >= 0 else -1
            for k, lane, is_wanted in zip(key, lanes, wanted, strict=True)
        ]
        waits = Waits(start, end, _column("i", lanes), _column("i", mine), keys)
        charges = replace(states, who=who, whos=len(names)).charge(waits)
        for k, state, ns in zip(charges.key, charges.who, charges.total, strict=True):
            name = names[state] if state < len(names) else UNKNOWN
            spent[k][name] = spent[k].get(name, 0) + ns
    for k, each, is_wanted in zip(key, found, wanted, strict=True):
        if is_wanted and each.task < 0 and each.thread < 0:  # its owner is unknown
            ns = each.end_ns - each.start_ns
            spent[k][UNKNOWN] = spent[k].get(UNKNOWN, 0) + ns
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

    def find(self) -> Iterator[Region]:
        if not self.parents and not self.lanes:
            return
        events, slices = self.trace.events, self.trace.slices
        task_at = self.tasks_at()
        by_track: dict[int, list[int]] = defaultdict(list)
        mark = memoryview(array("i", bytes(4 * len(events.strings))))
        for category in self.kinds:
            mark[category] = 1
        marked = self.trace.engine.gather(slices.event, events.category, mark)
        for i in compress(range(len(marked)), marked):
            by_track[events.track[slices.event[i]]].append(i)
        text, name_of, category_of = self.trace.text, events.name, events.category
        has_operations, has_exceptions = self.operation >= 0, self.exception >= 0
        for track in sorted(by_track):
            parent = self.parents.get(track, 0)
            thread = self.threads.by_uuid.get(parent, -1)
            process = self.trace.track_process[track]
            is_tasks = parent and thread < 0
            for first, last in self.whole(by_track[track]):
                start_ns, begin = slices.start_ns[first], slices.event[first]
                number = self.argument(begin, self.operation) if has_operations else 0
                left_by = -1
                if has_exceptions:
                    left_by = self.argument(slices.end_event[last], self.exception)
                yield Region(
                    text(name_of[begin]),
                    self.kinds[category_of[begin]],
                    process,
                    thread,
                    task_at(parent, start_ns) if is_tasks else -1,
                    start_ns,
                    slices.end_ns[last],
                    max(number, 0),
                    text(left_by),
                )

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
        tracks = {i for i, uuid in enumerate(events.uuids) if uuid in parents}
        found: dict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        if tracks:
            for i, kind in enumerate(owned.kind):
                track = events.track[slices.event[i]] if kind in _TASK_STATES else -1
                if track in tracks and owned.owner[i] >= 0:
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
