"""The validator's rules for a program's own events: regions, logs, tasks, counters."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from tests.support.validator.slices import Slice, drops_of
from tests.support.validator.strict import Arg, Event, Strict
from tracer import schema as s


class Task(Protocol):
    """What the rules ask of a task."""

    id: int
    track: int
    slices: list[Slice]


@dataclass(frozen=True, slots=True)
class Said:
    """A region or, with `end_ns` as `start_ns`, a log. Of `task` and `tid` one is not 0."""

    name: str
    start_ns: int
    end_ns: int | None
    depth: int
    pid: int
    task: int
    tid: int
    args: dict[str, Arg]


@dataclass(slots=True)
class UserSummary:
    regions: list[Said] = field(default_factory=list)  # pieces, in order of begin
    logs: list[Said] = field(default_factory=list)
    operations: dict[tuple[int, int], Slice] = field(default_factory=dict)  # by (pid, number)
    counters: dict[str, list[float]] = field(default_factory=dict)  # by name, in file order


def check_user(trace: Strict, slices: list[Slice], tasks: Iterable[Task]) -> UserSummary:
    """Regions lie on `user` tracks of threads and tasks, operations on lanes of their own."""
    found = UserSummary(operations=_check_operations(trace, slices))
    owners: dict[int, list[Task]] = defaultdict(list)
    for task in tasks:
        owners[task.track].append(task)
    ends: dict[int, list[Slice]] = defaultdict(list)
    for each in slices:
        if trace.tracks[each.begin.track].name == s.TRACK_USER:
            assert each.category == s.CAT_USER, f"no region on a user track: {each.begin}"
            ends[each.begin.track].append(each)
        if each.category != s.CAT_USER:
            continue
        said = _said(trace, each.begin, each, owners, found)
        if s.ARG_CONTINUES in each.begin.args:
            assert any(
                before.end_ns == each.start_ns and before.name == each.name
                for before in ends[each.begin.track]
                if before is not each
            ), f"nothing that it continues: {each.begin}"
        found.regions.append(said)
    for event in sorted(trace.events, key=lambda e: e.time_ns):
        track = trace.tracks[event.track]
        if event.type == s.TYPE_INSTANT and event.category == s.CAT_USER:
            found.logs.append(_said(trace, event, None, owners, found))
        elif is_user_counter(trace, event):
            assert event.type == s.TYPE_COUNTER, f"no counter: {event}"
            value = event.counter if event.double is None else event.double
            found.counters.setdefault(track.name, []).append(value or 0)
    return found


def is_user_counter(trace: Strict, event: Event) -> bool:
    return _parent(trace, event) == s.TRACK_USER_COUNTERS


def _parent(trace: Strict, event: Event) -> str:
    above = trace.tracks.get(trace.tracks[event.track].parent)
    return above.name if above else ""


def _check_operations(trace: Strict, slices: list[Slice]) -> dict[tuple[int, int], Slice]:
    found: dict[tuple[int, int], Slice] = {}
    for each in slices:
        event = each.begin
        if event.category != s.CAT_OPERATION:
            assert _parent(trace, event) != s.TRACK_OPERATIONS, f"no operation: {event}"
            continue
        assert _parent(trace, event) == s.TRACK_OPERATIONS, f"not below Operations: {event}"
        assert each.depth == 0, f"an operation inside another slice: {event}"
        number = event.args.get(s.ARG_OPERATION)
        assert isinstance(number, int), f"an operation without number: {event}"
        key = event.process.pid, number
        assert key not in found, f"operation {number} begins twice: {event}"
        found[key] = each
        outer = event.args.get(s.ARG_PARENT)
        if outer is not None:
            _check_reference(event, outer, found)
    return found


def _check_reference(
    event: Event, number: Arg, operations: dict[tuple[int, int], Slice]
) -> None:
    known = isinstance(number, int) and operations.get((event.process.pid, number))
    if not known:
        assert drops_of(event.process), f"operation {number!r} is unknown: {event}"
        return
    assert known.start_ns <= event.time_ns, f"operation {number} begins later: {event}"


def _said(
    trace: Strict,
    event: Event,
    each: Slice | None,
    owners: dict[int, list[Task]],
    found: UserSummary,
) -> Said:
    track = trace.tracks[event.track]
    assert track.name == s.TRACK_USER, f"not on a user track: {event}"
    above = trace.tracks.get(track.parent)
    assert above, f"a user track without parent: {event}"
    task = 0
    if not above.tid:
        task = _task_of(event, each, owners.get(track.parent, []))
    number = event.args.get(s.ARG_OPERATION)
    if number is not None:
        _check_reference(event, number, found.operations)
    return Said(
        event.name,
        event.time_ns,
        each.end_ns if each else event.time_ns,
        each.depth if each else 0,
        event.process.pid,
        task,
        above.tid,
        each.args if each else event.args,
    )


def _task_of(event: Event, each: Slice | None, tasks: list[Task]) -> int:
    """Which of a track's tasks said it: the one that runs then, and lives on to its end."""
    assert tasks, f"below neither a thread nor a task: {event}"
    if drops_of(event.process):
        return tasks[-1].id
    goes_on = s.ARG_CONTINUES in event.args  # as another task may have made it
    running = [
        task
        for task in tasks
        for state in task.slices
        if (goes_on or state.name == s.RUNNING)
        and state.start_ns <= event.time_ns
        and (state.end_ns is None or event.time_ns <= state.end_ns)
    ]
    assert running, f"its task does not run: {event}"
    task = running[-1]
    last = task.slices[-1].end_ns
    if each is not None and last is not None:
        assert each.end_ns is not None, f"open, though its task has ended: {event}"
        assert each.end_ns <= last, f"longer than its task: {event}"
    return task.id
