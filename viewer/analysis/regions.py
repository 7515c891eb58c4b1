"""Regions and tasks the program told of itself: how long, and what happened meanwhile."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tracer import schema as s
from viewer.analysis.spread import Spread, spread_of
from viewer.analysis.threads import STATE_NAMES
from viewer.columns import AWAIT, LOOP_TASK, READY, RUNNING, STATE_MASK
from viewer.model import Model

REGION, TASK = "region", "task"  # tracer.region, tracer.task
AWAITING, UNKNOWN = "await", "unknown"
_TASK_STATES = {READY: s.READY, RUNNING: s.RUNNING, AWAIT: AWAITING}

type Span = tuple[int, int]  # from, until, in ns


@dataclass(frozen=True, slots=True)
class Region:
    """A tracer.region or tracer.task. Of a region, `thread` or `task` is an index, else -1.

    `operation` is the number of the tracer.task it is part of, or that it is; 0 none.
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
    """A time in which a task, or a thread, is within regions of one name."""

    process: int
    thread: int  # -1: of a task
    task: int  # -1: of a thread
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class RegionRow:
    """All regions, or tasks, of a name; one inside another of its name counts again.

    `states` adds up to the total of regions: what the asyncio task did meanwhile (running,
    ready, await), or the thread (the states of a thread), or unknown. Of tasks it is empty.
    """

    name: str
    kind: str
    count: int
    in_tasks: int  # of them, in asyncio tasks
    failed: int  # left by an exception
    wall: Spread
    states: dict[str, int]


class Meter:
    """How much of a time lies within spans, which do not overlap."""

    def __init__(self, spans: Iterable[Span]) -> None:
        ordered = sorted(spans)
        self._starts = [start for start, _ in ordered]
        self._ends = [end for _, end in ordered]
        self._before, total = [0], 0
        for start, end in ordered:
            total += end - start
            self._before.append(total)

    def until(self, time_ns: int) -> int:
        at = bisect_right(self._starts, time_ns) - 1
        if at < 0:
            return 0
        return self._before[at] + min(time_ns, self._ends[at]) - self._starts[at]

    def within(self, start_ns: int, end_ns: int) -> int:
        return self.until(end_ns) - self.until(start_ns)

    def parts(self, start_ns: int, end_ns: int) -> Iterator[Span]:
        """Those of the spans that lie there, cut at its ends."""
        for at in range(bisect_right(self._ends, start_ns), len(self._starts)):
            if self._starts[at] >= end_ns:
                return
            yield max(self._starts[at], start_ns), min(self._ends[at], end_ns)

    def covers(self, time_ns: int) -> bool:
        at = bisect_right(self._starts, time_ns) - 1
        return at >= 0 and time_ns < self._ends[at]


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
    """All of them, in order of begin; what the trace cut in pieces is whole again."""
    return tuple(sorted(_Finder(model).find(), key=lambda region: region.start_ns))


def intervals(model: Model, name: str) -> tuple[Interval, ...]:
    """The times of regions called `name`, by thread and task; those that overlap are one."""
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
    """One row per name, the one with most time first; tasks before regions."""
    found: dict[tuple[str, str], list[Region]] = defaultdict(list)
    for region in regions(model):
        found[region.kind, region.name].append(region)
    meters = _meters(model, {(r.thread, r.task) for each in found.values() for r in each})
    rows = [
        RegionRow(
            name,
            kind,
            len(each),
            sum(region.task >= 0 for region in each),
            sum(bool(region.exception) for region in each),
            spread_of(region.end_ns - region.start_ns for region in each),
            _states(each, meters) if kind == REGION else {},
        )
        for (kind, name), each in found.items()
    ]
    rows.sort(key=lambda row: (row.kind == REGION, -row.wall.total_ns, row.name))
    return tuple(rows)


def _states(
    regions: list[Region], meters: dict[tuple[int, int], dict[str, Meter]]
) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for region in regions:
        left = region.end_ns - region.start_ns
        for state, meter in meters.get((region.thread, region.task), {}).items():
            ns = meter.within(region.start_ns, region.end_ns)
            found[state] += ns
            left -= ns
        found[UNKNOWN] += left
    return {state: ns for state, ns in found.items() if ns}


def _meters(
    model: Model, owners: set[tuple[int, int]]
) -> dict[tuple[int, int], dict[str, Meter]]:
    """By (thread, task) and state: when it was in it."""
    spans: dict[tuple[int, int], dict[str, list[Span]]] = defaultdict(
        lambda: defaultdict(list)
    )
    tasks = {task for _, task in owners if task >= 0}
    slices, owned = model.trace.slices, model.owners
    if tasks:
        for i, kind in enumerate(owned.kind):
            if kind in _TASK_STATES and owned.owner[i] in tasks:
                at = slices.start_ns[i], slices.end_ns[i]
                spans[-1, owned.owner[i]][_TASK_STATES[kind]].append(at)
    threads = {thread for thread, _ in owners if thread >= 0}
    table = model.states
    if threads:
        for i, state in enumerate(table.state):
            name = STATE_NAMES.get(state & STATE_MASK)
            if name is not None and table.who[i] in threads:
                at = table.start_ns[i], table.end_ns[i]
                spans[table.who[i], -1][name].append(at)
    return {
        owner: {state: Meter(each) for state, each in by_state.items()}
        for owner, by_state in spans.items()
    }


class _Finder:
    """The regions of a model. Which tracks have some is told by their descriptors."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.trace = model.trace
        tracks, uuids = self.trace.tracks, self.trace.events.uuids
        self.thread_of = {track.uuid: i for i, track in enumerate(model.threads)}
        self.parents: dict[int, int] = {}  # user track -> uuid of the one above
        self.lanes: set[int] = set()  # of operations
        for i, uuid in enumerate(uuids):
            track = tracks.get(uuid)
            above = tracks.get(track.parent_uuid) if track else None
            if track and track.name == s.TRACK_USER:
                self.parents[i] = track.parent_uuid
            elif above and above.name == s.TRACK_OPERATIONS:
                self.lanes.add(i)
        strings = self.trace.events.strings
        self.continues = s.ARG_CONTINUES in strings
        wanted = {s.CAT_USER: REGION, s.CAT_OPERATION: TASK}
        self.kinds = {i: wanted[text] for i, text in enumerate(strings) if text in wanted}

    def find(self) -> Iterator[Region]:
        if not self.parents and not self.lanes:
            return
        events, slices = self.trace.events, self.trace.slices
        task_at = self.tasks_at()
        by_track: dict[int, list[int]] = defaultdict(list)
        for i, event in enumerate(slices.event):
            if events.category[event] in self.kinds:
                by_track[events.track[event]].append(i)
        for track in sorted(by_track):
            parent = self.parents.get(track, 0)
            thread = self.thread_of.get(parent, -1)
            for pieces in self.whole(by_track[track]):
                start_ns = slices.start_ns[pieces[0]]
                begin, end = slices.event[pieces[0]], slices.end_event[pieces[-1]]
                args = self.trace.args(begin)
                left_by = self.trace.args(end).get(s.ARG_EXCEPTION, "") if end >= 0 else ""
                number = args.get(s.ARG_OPERATION, 0)
                yield Region(
                    self.trace.text(events.name[begin]),
                    self.kinds[events.category[begin]],
                    self.trace.track_process[track],
                    thread,
                    task_at(parent, start_ns) if parent and thread < 0 else -1,
                    start_ns,
                    slices.end_ns[pieces[-1]],
                    number if isinstance(number, int) else 0,
                    str(left_by),
                )

    def whole(self, pieces: list[int]) -> list[list[int]]:
        """A region that outlives one around it goes on as a further piece, without gap."""
        found: list[list[int]] = []
        if not self.continues:
            return [[i] for i in pieces]
        slices, events = self.trace.slices, self.trace.events
        cut: dict[tuple[int, int], list[list[int]]] = defaultdict(list)  # by name, end
        for i in pieces:
            name, start_ns = events.name[slices.event[i]], slices.start_ns[i]
            earlier = cut.get((name, start_ns))
            if earlier and self.trace.args(slices.event[i]).get(s.ARG_CONTINUES):
                region = earlier.pop(0)  # the outer one goes on first, as it began first
                region.append(i)
            else:
                region = [i]
                found.append(region)
            cut[name, slices.end_ns[i]].append(region)
        return found

    def tasks_at(self) -> "_TaskAt":
        """Which task is on a task's track or lane at a time."""
        events, slices, owned = self.trace.events, self.trace.slices, self.model.owners
        parents = set(self.parents.values()) - self.thread_of.keys()
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


class Everywhere:
    """What a profile is made of: all of it."""

    def thread(self, pid: int, tid: int, start_ns: int, end_ns: int) -> int | None:
        """How much of a thread's time belongs to it, in ns; None: it does not at all."""
        return end_ns - start_ns

    def task(self, task: int, start_ns: int, end_ns: int) -> int | None:
        return end_ns - start_ns

    def thread_parts(self, pid: int, tid: int, start_ns: int, end_ns: int) -> Iterable[Span]:
        """Which parts of a thread's time belong to it."""
        return ((start_ns, end_ns),)

    def task_parts(self, task: int, start_ns: int, end_ns: int) -> Iterable[Span]:
        return ((start_ns, end_ns),)

    def has(self, pid: int, tid: int, time_ns: int) -> bool:
        return True


EVERYWHERE = Everywhere()


class Within(Everywhere):
    """… what lies within the regions of a name.

    A region of a task is time of the thread that runs it, while it runs.
    """

    def __init__(self, model: Model, name: str) -> None:
        threads: dict[tuple[int, int], list[Span]] = defaultdict(list)
        tasks: dict[int, list[Span]] = defaultdict(list)
        for each in intervals(model, name):
            span = each.start_ns, each.end_ns
            if each.task >= 0:
                tasks[each.task].append(span)
            elif each.thread >= 0:
                track = model.threads[each.thread]
                threads[track.pid, track.tid].append(span)
        self._tasks = {task: Meter(spans) for task, spans in tasks.items()}
        for thread, span in _steps_within(model, tasks):
            threads[thread].append(span)
        self._threads = {key: Meter(merged(spans)) for key, spans in threads.items()}

    def thread(self, pid: int, tid: int, start_ns: int, end_ns: int) -> int | None:
        return _part(self._threads.get((pid, tid)), start_ns, end_ns)

    def task(self, task: int, start_ns: int, end_ns: int) -> int | None:
        return _part(self._tasks.get(task), start_ns, end_ns)

    def thread_parts(self, pid: int, tid: int, start_ns: int, end_ns: int) -> Iterable[Span]:
        meter = self._threads.get((pid, tid))
        return meter.parts(start_ns, end_ns) if meter else ()

    def task_parts(self, task: int, start_ns: int, end_ns: int) -> Iterable[Span]:
        meter = self._tasks.get(task)
        return meter.parts(start_ns, end_ns) if meter else ()

    def has(self, pid: int, tid: int, time_ns: int) -> bool:
        meter = self._threads.get((pid, tid))
        return meter is not None and meter.covers(time_ns)


def _part(meter: Meter | None, start_ns: int, end_ns: int) -> int | None:
    if meter is None:
        return None
    return meter.within(start_ns, end_ns) or (0 if meter.covers(start_ns) else None)


def _steps_within(
    model: Model, tasks: dict[int, list[Span]]
) -> Iterator[tuple[tuple[int, int], Span]]:
    """The parts of the tasks' steps that lie within their spans, with the thread."""
    slices, owned = model.trace.slices, model.owners
    for i, kind in enumerate(owned.kind if tasks else ()):
        task = owned.owner[i]
        if kind != LOOP_TASK or task not in tasks or model.lane[i] < 0:
            continue
        loop = model.loops[model.lane[i]]
        start_ns, end_ns = slices.start_ns[i], slices.end_ns[i]
        spans = tasks[task]
        for at in range(bisect_right(spans, start_ns, key=_until), len(spans)):
            if spans[at][0] >= end_ns or not loop.tid:
                break
            span = max(spans[at][0], start_ns), min(spans[at][1], end_ns)
            yield (model.pid(loop.process), loop.tid), span


def _until(span: Span) -> int:
    return span[1]
