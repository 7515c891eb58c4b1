"""The rules of a trace, checked: run over every trace any test makes.

`validate(data)` decodes on its own (it shares only viewer.trace.wire with the reader) and
strictly: what a reader would forgive raises AssertionError here.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from hashlib import sha256

from tests.support.validator.arrows import check_arrows
from tests.support.validator.awaits import check_awaits
from tests.support.validator.heap import HeapSummary, check_heap
from tests.support.validator.jobs import check_jobs
from tests.support.validator.lanes import Lane, LockSummary, check_lanes, check_locks
from tests.support.validator.messages import check_messages
from tests.support.validator.samples import check_samples
from tests.support.validator.slices import Slice, drops_of, pair
from tests.support.validator.strict import Event, Strict, read_strict
from tests.support.validator.user import UserSummary, check_user, is_user_counter
from tests.support.validator.waits import check_waits
from tracer import schema as s

_END = "end"
_ANOTHER = "another Python of the shell's line"  # one of them is followed, another is not
_OPEN = 1 << 63  # the end of a slice that has none
_ENDS = (s.DONE, s.CANCELLED, s.DESTROYED, s.LOOP_CLOSED)
_CATEGORIES = {value for name, value in vars(s).items() if name.startswith("CAT_")}
_HEAD_ARGS = {s.ARG_TASK: int, s.ARG_NAME: str, s.ARG_CORO: str, s.ARG_SITE: str}

# Which state may follow which; "" is before the first.
_NEXT = {
    # running at once: an eager task; await: one that existed before the recording
    "": {s.READY, s.RUNNING, s.AWAIT_PREFIX},
    s.READY: {s.RUNNING, s.CANCELLED, s.DESTROYED, s.LOOP_CLOSED},  # a greenlet killed early
    s.RUNNING: {s.READY, s.AWAIT_PREFIX, s.DONE, s.CANCELLED, s.FAILED_PREFIX},
    s.AWAIT_PREFIX: {s.READY, s.DESTROYED, s.LOOP_CLOSED},
}


@dataclass(slots=True)
class TaskSummary:
    """What one task did: its states in order, and how it ended ("" when it did not)."""

    id: int
    name: str
    coro: str
    states: list[str] = field(default_factory=list)
    end: str = ""
    slices: list[Slice] = field(default_factory=list)
    track: int = 0


@dataclass(frozen=True, slots=True)
class Summary:
    """What a valid trace contains."""

    packets: int
    chunks: int
    events: int
    slices: int
    unfinished: int
    flows: int
    dropped: int
    processes: tuple[int, ...]  # pids
    tasks: dict[tuple[int, int], TaskSummary]  # by (pid, task id)
    names: Counter[str]  # of slices and instants
    lanes: dict[tuple[int, int], Lane]  # by (pid, tid): the states of a thread
    locks: dict[tuple[int, int], LockSummary]  # by (pid, lock id): those that have a track
    user: UserSummary  # the program's own events
    heap: dict[int, HeapSummary]  # by pid: those whose allocations were sampled
    unknown: Counter[str]  # what arrows and lock waits leave open, with the reason


_valid: set[bytes] = set()  # digests of the traces found so


def validate_once(data: bytes) -> None:
    """As `validate`, for a trace that the test may have validated itself."""
    if sha256(data).digest() not in _valid:
        validate(data)


def validate(data: bytes) -> Summary:
    """A summary of the trace. Raises AssertionError with the first rule it breaks."""
    trace = read_strict(data)
    slices, open_ = pair(trace)
    _check_recording(trace)
    _check_events(trace)
    check_samples(
        trace.samples,
        [
            (
                p.pid,
                [e.time_ns for e in p.events],
                p.events[-1].name == s.RECORDING_ENDED,
            )
            for p in trace.processes
        ],
    )
    drops = {id(p): drops_of(p) for p in trace.processes}
    tasks = _check_tasks(trace, slices, drops)
    _check_steps(trace, slices, tasks, drops)
    steps = {
        id(each.begin): task.id
        for task in tasks.values()
        for each in task.slices
        if each.name == s.RUNNING
    }
    flows, unknown = check_arrows(trace, steps)
    lanes = check_lanes(trace, slices)
    locks = check_locks(trace, slices)
    unknown += check_waits(trace, slices)
    holds = {key: lock.holds for key, lock in locks.items()}
    unknown += check_awaits(trace, tasks.values(), holds)
    user = check_user(trace, slices, tasks.values())
    check_jobs(trace, slices)
    check_messages(trace)
    _valid.add(sha256(data).digest())
    return Summary(
        trace.packets,
        trace.chunks,
        len(trace.events),
        len(slices),
        open_,
        flows,
        sum(count for rows in drops.values() for _, _, count in rows),
        tuple(p.pid for p in trace.processes),
        {(pid, id_): task for (pid, id_), task in tasks.items()},
        Counter(
            e.name for e in trace.events if e.type in (s.TYPE_SLICE_BEGIN, s.TYPE_INSTANT)
        ),
        lanes,
        locks,
        user,
        check_heap(trace),
        unknown,
    )


def _check_recording(trace: Strict) -> None:
    for process in trace.processes:
        first = process.events[0]
        assert (first.name, first.category) == (s.RECORDING, s.CAT_TRACER), (
            f"the first event of process {process.pid} is {first}, not 'recording'"
        )
        assert first.args.get(s.ARG_SCHEMA) == s.VERSION, f"wrong schema version: {first}"
        origin = first.args.get(s.ARG_ORIGIN, "run")
        assert origin in s.ORIGINS, f"unknown origin: {first}"
        assert (origin != "run") == (s.ARG_PARENT_PID in first.args), f"whose child? {first}"
        ends = [e for e in process.events if e.name == s.RECORDING_ENDED]
        assert len(ends) <= 1, f"'recording ended' comes {len(ends)} times"
        assert not ends or len(trace.processes) > 1 or not trace.torn_bytes, (
            f"{trace.torn_bytes} bytes of half a packet after 'recording ended'"
        )
        assert not ends or process.events[-1] is ends[0], (
            f"'recording ended' is not the last event, {process.events[-1]} is"
        )


def _check_events(trace: Strict) -> None:
    for event in trace.events:
        if event.type == s.TYPE_COUNTER:
            may_be_double = event.double is not None and is_user_counter(trace, event)
            assert event.counter is not None or may_be_double, (
                f"a counter without int value: {event}"
            )
        elif event.type != s.TYPE_SLICE_END:
            assert event.name, f"no name: {event}"
            assert event.category, f"no category: {event}"
            if event.category not in _CATEGORIES:
                raise AssertionError(f"unknown category {event.category!r}: {event}")
            if event.category == s.CAT_GC:
                called = {s.ARG_EXPLICIT, s.ARG_SITE, s.ARG_STACK} & event.args.keys()
                assert not called or event.args.get(s.ARG_EXPLICIT) in (True, 1), (
                    f"a collection with a caller is not explicit: {event}"
                )
            if event.name in (s.FORK, s.SPAWN) and event.category == s.CAT_THREAD:
                _check_child(trace, event)


def _check_child(trace: Strict, event: Event) -> None:
    pid, command = event.args.get(s.ARG_CHILD), event.args.get(s.ARG_COMMAND)
    assert trace.tracks[event.track].tid, f"a child of no thread: {event}"
    assert pid is None or (isinstance(pid, int) and pid > 0), f"no pid: {event}"
    assert pid != event.process.pid, f"a process that is its own child: {event}"
    assert pid is not None or event.name == s.SPAWN, f"a fork without pid: {event}"
    assert command is None or event.name == s.SPAWN, f"a fork with a command: {event}"
    followed, reason = event.args.get(s.ARG_FOLLOWED), event.args.get(s.ARG_REASON)
    assert bool(followed) == bool(event.flows), f"followed without an arrow: {event}"
    is_whole = not followed or not reason or reason == _ANOTHER
    assert is_whole, f"followed, and a reason why not: {event}"


def _state(event: Event) -> str:
    for prefix in (s.AWAIT_PREFIX, s.FAILED_PREFIX):
        if event.name.startswith(prefix):
            return prefix
    return event.name


def _check_tasks(
    trace: Strict, slices: list[Slice], drops: dict[int, list[tuple[int, int, int]]]
) -> dict[tuple[int, int], TaskSummary]:
    """Every task's slices: arguments, nesting, legal and gapless order, one end."""
    tasks: dict[tuple[int, int], TaskSummary] = {}
    on_track: dict[int, TaskSummary] = {}
    for each in slices:
        event = each.begin
        if event.category not in (s.CAT_TASK, s.CAT_LIFETIME):
            continue
        is_lifetime = event.category == s.CAT_LIFETIME
        if not is_lifetime:
            inside = each.around.begin.category if each.around else s.CAT_LIFETIME
            assert inside == s.CAT_LIFETIME, f"a state inside a state: {event}"
            assert _state(event) in (s.READY, s.RUNNING, s.AWAIT_PREFIX), f"no state: {event}"
        else:
            assert each.depth == 0, f"a lifetime inside another slice: {event}"
        if is_lifetime or event.track not in on_track or s.ARG_TASK in event.args:
            for name, type_ in _HEAD_ARGS.items():
                assert isinstance(event.args.get(name), type_), (
                    f"first slice, no {name}: {event}"
                )
            key = (event.process.pid, int(event.args[s.ARG_TASK]))
            again = tasks.get(key)
            if again is None:
                tasks[key] = TaskSummary(
                    key[1], str(event.args[s.ARG_NAME]), str(event.args[s.ARG_CORO])
                )
                tasks[key].track = event.track
            else:
                assert again.track == event.track, f"task id {key[1]} used twice: {event}"
                assert drops[id(event.process)], f"task {key[1]} begins twice: {event}"
            on_track[event.track] = tasks[key]
        if is_lifetime:
            continue
        _follow(on_track[event.track], each, drops[id(event.process)])
    ending: dict[tuple[int, int | None], list[TaskSummary]] = defaultdict(list)
    for task in tasks.values():
        if task.slices:
            ending[task.track, task.slices[-1].end_ns].append(task)
    for event in sorted(trace.events, key=lambda e: e.time_ns):
        if event.type == s.TYPE_INSTANT and event.category == s.CAT_TASK:
            _finish(ending[event.track, event.time_ns], event)
    return tasks


def _follow(task: TaskSummary, each: Slice, drops: list[tuple[int, int, int]]) -> None:
    """Appends a state to its task if it may come there."""
    event = each.begin
    before = task.slices[-1] if task.slices else None
    old, new = _state(before.begin) if before else "", _state(event)
    if before and before.end_ns != event.time_ns:
        assert any(since == before.end_ns for since, _, _ in drops), (
            f"task {task.id}: a gap between {old!r} (ends {before.end_ns}) and {event}"
        )
    else:
        assert new in _NEXT[old], f"task {task.id}: {new!r} after {old!r}: {event}"
    task.name = str(event.args.get(s.ARG_NAME, task.name))  # it was renamed
    task.states.append(event.name)
    task.slices.append(each)


def _finish(candidates: list[TaskSummary], event: Event) -> None:
    """Ends one of the tasks whose last state ends on this track at this time."""
    how = _state(event)
    assert how in (*_ENDS, s.FAILED_PREFIX), f"not an end of a task: {event}"
    owners = [task for task in candidates if not task.end]
    assert owners, f"no task ends its last state when this comes: {event}"
    old = _state(owners[0].slices[-1].begin)
    assert how in _NEXT[old], f"task {owners[0].id}: {how!r} after {old!r}: {event}"
    owners[0].name = str(event.args.get(s.ARG_NAME, owners[0].name))
    owners[0].end = event.name


def _check_steps(
    trace: Strict,
    slices: list[Slice],
    tasks: dict[tuple[int, int], TaskSummary],
    drops: dict[int, list[tuple[int, int, int]]],
) -> None:
    """Every `running` of a task is a slice of its loop, and the other way round."""
    # A kill may cut between two packets of the same instant: its last one proves nothing.
    cut = {
        p.pid: max(e.time_ns for e in p.events)
        for p in trace.processes
        if not any(e.name == s.RECORDING_ENDED for e in p.events)
    }

    def step(pid: int, task: int, each: Slice) -> list[tuple[int, int, int, int]]:
        start, end, last = each.begin.time_ns, each.end_ns or _OPEN, cut.get(pid, _OPEN)
        return [] if start >= last else [(pid, task, start, _OPEN if end >= last else end)]

    on_loop: Counter[tuple[int, int, int, int]] = Counter()
    for each in slices:
        task = each.begin.args.get(s.ARG_TASK)
        if each.begin.category == s.CAT_LOOP and isinstance(task, int):
            pid = each.begin.process.pid
            assert (pid, task) in tasks, f"a step of unknown task {task}: {each.begin}"
            on_loop.update(step(pid, task, each))
    running = Counter(
        row
        for (pid, id_), task in tasks.items()
        for each in task.slices
        if each.begin.name == s.RUNNING
        for row in step(pid, id_, each)
    )
    if not on_loop and not any(e.category == s.CAT_LOOP for e in trace.events):
        return  # a trace of tasks only, made by hand
    apart = (running - on_loop) + (on_loop - running)
    assert not apart or any(drops.values()), (
        f"running of a task and step of its loop differ: (pid, task, start, end) {min(apart)}"
    )
