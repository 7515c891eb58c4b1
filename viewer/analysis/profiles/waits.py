"""Profiles of waiting: who waited where (block, io, wall), and for whom (mutex, sched, gc)."""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from tracer import schema as s
from viewer.analysis.dump.profiles import goroutine_profile, threadcreate_profile
from viewer.analysis.health import health
from viewer.analysis.profiles.awaits import await_frames
from viewer.analysis.profiles.cpu import (
    Labels,
    Runners,
    add_cpu,
    cpu_comments,
    cpu_period,
    cpu_profile,
)
from viewer.analysis.profiles.heap import allocs_profile, heap_profile
from viewer.analysis.profiles.mutex import Holds, holder_frames
from viewer.analysis.profiles.profile import (
    Place,
    Profile,
    Sums,
    place_of,
    places_of,
    within_task,
)
from viewer.analysis.profiles.within import EVERYWHERE, Everywhere, total_ns
from viewer.analysis.regions import Span
from viewer.analysis.waited import For, package_of, waited_for
from viewer.trace.columns import (
    AWAIT,
    READY,
    WAKER_GROUP,
    WAKER_LOST,
    WAKER_NONE,
    WAKER_SHIFT,
    WAKER_TEXT,
    WAKER_THREAD,
)
from viewer.trace.model import Model
from viewer.trace.processes import Arg

DELAY_TYPES = (("contentions", "count"), ("delay", "nanoseconds"))
CALL_TYPES = (("calls", "count"), ("delay", "nanoseconds"))
WALL_TYPES = (("samples", "count"), ("wall", "nanoseconds"))
PAUSE_TYPES = (("collections", "count"), ("pause", "nanoseconds"))
READY_TYPES = (("waits", "count"), ("delay", "nanoseconds"))

# What a task waits for that other tasks or threads provide; as in Go, waiting for the clock or
# the network is not contention.
_CONTENDED = (
    *("Lock", "Event", "Condition", "Semaphore", "CapacityLimiter", "Barrier"),
    *("Queue.get", "Queue.put", "MemoryChannel.send", "MemoryChannel.receive"),
)
_OWNED = ("Lock", "RLock", "StrictFIFOLock")  # kinds that somebody holds
_WALL_STATES = (s.CAT_LOCK, s.CAT_IO, s.CAT_SLEEP, s.CAT_GIL, s.CAT_THREAD)
_WALL_SIGNALS = {
    "cpu": "what threads compute",
    "locks": "waits for locks",
    "io": "blocking calls, sleeps",
    "gil": "waits for the GIL",
}
_OUTSIDE = Place("[outside any task]")


def _is_contended(what: str) -> bool:
    is_here = waited_for(what) in (For.POOL, For.HERE)
    return what in _CONTENDED or (is_here and package_of(what) != "")


def _is_transfer(what: str) -> bool:
    return waited_for(what) in (For.OUTSIDE, For.CALLERS, For.CHILD)


class _Wait(NamedTuple):
    """A slice of waiting on a thread's track."""

    pid: int
    tid: int
    start_ns: int
    end_ns: int
    parts: list[Span]  # the part within the requested regions
    category: str
    name: str
    args: dict[str, Arg]

    @property
    def duration_ns(self) -> int:
        return total_ns(self.parts)

    @property
    def frames(self) -> tuple[Place, ...]:
        """Where it waits, or the slice's name where that is unknown."""
        stack = self.args.get(s.ARG_STACK)
        if isinstance(stack, str) and stack:
            return places_of(stack)
        site = self.args.get(s.ARG_SITE)
        if isinstance(site, str) and site:
            return (place_of(site),)
        return (Place(f"[{self.name}]"),)


def _waits(model: Model, where: Everywhere, *categories: str) -> Iterator[_Wait]:
    """The waits of threads, as far as they lie there, in order of begin; from CAT_THREAD, the
    waits that the kernel imposes."""
    trace, events, slices = model.trace, model.trace.events, model.trace.slices
    strings = {text: i for i, text in enumerate(events.strings)}
    wanted = {strings[name]: name for name in categories if name in strings}
    if not wanted:
        return
    computing = {strings.get(name) for name in (s.RUNNING, s.ATTACHED, s.NATIVE)}
    threads = {track.uuid: track for track in model.threads}
    category_of, event_of = events.category, slices.event
    for i, event in enumerate(event_of):
        category = wanted.get(category_of[event])
        if category is None or (category == s.CAT_THREAD and events.name[event] in computing):
            continue
        track = threads.get(events.uuids[events.track[event]])
        if track is None:
            continue
        start_ns, end_ns = slices.start_ns[i], slices.end_ns[i]
        parts = where.thread(track.pid, track.tid, start_ns, end_ns)
        if parts:
            name = trace.text(events.name[event])
            yield _Wait(
                track.pid, track.tid, start_ns, end_ns, parts, category, name, _args(model, i)
            )


def _args(model: Model, i: int) -> dict[str, Arg]:
    """The arguments of a slice's begin and end."""
    slices = model.trace.slices
    end = slices.end_event[i]
    args = model.trace.args(slices.event[i])
    return args | model.trace.args(end) if end >= 0 else args


def _awaits(model: Model, is_wanted: Callable[[str], bool]) -> Iterator[tuple[int, str, int]]:
    """(slice, kind, task) for the tasks' waits of wanted kinds."""
    names = {
        i: text.removeprefix(s.AWAIT_PREFIX)
        for i, text in enumerate(model.trace.events.strings)
        if text.startswith(s.AWAIT_PREFIX) and is_wanted(text.removeprefix(s.AWAIT_PREFIX))
    }
    if not names:
        return
    owners = model.owners
    for i, kind in enumerate(owners.kind):
        if kind == AWAIT and owners.code[i] in names and owners.owner[i] >= 0:
            yield i, names[owners.code[i]], owners.owner[i]


def _kind(args: dict[str, Arg], name: str) -> str:
    """What a task awaits: "trio.Lock"; asyncio's own needs no argument to say so."""
    return str(args.get(s.ARG_KIND, name if package_of(name) else f"asyncio.{name}"))


def _add_awaits(
    model: Model,
    where: Everywhere,
    sums: Sums,
    runners: Runners,
    is_wanted: Callable[[str], bool],
) -> None:
    slices = model.trace.slices
    for i, kind, task in _awaits(model, is_wanted):
        parts = where.task(task, slices.start_ns[i], slices.end_ns[i])
        if not parts:
            continue
        labels: Labels = {"kind": _kind(_args(model, i), kind)}
        labels |= runners.task_labels(task)
        sums.add(await_frames(model, i, task), labels, total_ns(parts))


def block_profile(model: Model, where: Everywhere = EVERYWHERE) -> Profile:
    """The waits of threads and tasks for locks, events, queues …, by where they waited."""
    sums, runners = Sums(), Runners(model)
    for wait in _waits(model, where, s.CAT_LOCK):
        labels: Labels = {"kind": wait.name.removeprefix(s.LOCK_WAIT_PREFIX)}
        labels |= runners.labels(wait.pid, wait.tid, wait.start_ns)
        sums.add(wait.frames, labels, wait.duration_ns)
    _add_awaits(model, where, sums, runners, _is_contended)
    return Profile(DELAY_TYPES, sums.samples(), ("contentions", "count", 1))


def mutex_profile(model: Model, where: Everywhere = EVERYWHERE) -> Profile:
    """The same delay, for locks that somebody holds, by where the holder acquired the lock:
    moment by moment if the trace has the holds, else all of it by the holder at its begin."""
    sums, holds = Sums(), Holds(model)
    for wait in _waits(model, where, s.CAT_LOCK):
        kind = wait.name.removeprefix(s.LOCK_WAIT_PREFIX)
        for part in wait.parts:
            _charge(sums, holds, kind, wait.pid, part, wait.args)
    slices = model.trace.slices
    for i, kind, task in _awaits(model, _OWNED.__contains__):
        pid = model.pid(model.owners.task_process[task])
        for part in where.task(task, slices.start_ns[i], slices.end_ns[i]):
            args = _args(model, i)
            _charge(sums, holds, _kind(args, kind), pid, part, args)
    holds.add_to(sums)
    return Profile(DELAY_TYPES, sums.samples(), ("contentions", "count", 1))


def _charge(
    sums: Sums,
    holds: Holds,
    kind: str,
    pid: int,
    part: Span,
    args: dict[str, Arg],
) -> None:
    if holds.charge(pid, args.get(s.ARG_LOCK), *part):
        return
    site, owner = args.get(s.ARG_OWNER_SITE), args.get(s.ARG_OWNER_NAME)
    if not site and kind.rpartition(".")[2] not in _OWNED:
        return
    by = "task" if s.ARG_OWNER_TASK in args else "thread"
    labels: Labels = {"kind": kind}
    if owner is not None:
        labels[by] = str(owner)
    sums.add(holder_frames(site, None), labels, part[1] - part[0])


def io_profile(model: Model, where: Everywhere = EVERYWHERE) -> Profile:
    """Blocking calls of threads, and tasks waiting for the network, by place."""
    sums, runners = Sums(), Runners(model)
    for wait in _waits(model, where, s.CAT_IO):
        labels: Labels = {"call": wait.name.removeprefix(s.IO_PREFIX)}
        labels |= runners.labels(wait.pid, wait.tid, wait.start_ns)
        sums.add(wait.frames, labels, wait.duration_ns)
    _add_awaits(model, where, sums, runners, _is_transfer)
    return Profile(CALL_TYPES, sums.samples(), ("calls", "count", 1))


class _Covered:
    """The waits of each thread; what it computes inside a wait belongs to the wait."""

    def __init__(self) -> None:
        self.spans: dict[tuple[int, int], tuple[list[int], list[int]]] = {}

    def add(self, wait: _Wait) -> None:
        starts, ends = self.spans.setdefault((wait.pid, wait.tid), ([], []))
        starts.append(wait.start_ns)
        ends.append(wait.end_ns)

    def has(self, pid: int, tid: int, time_ns: int) -> bool:
        starts, ends = self.spans.get((pid, tid), ((), ()))
        at = bisect_right(starts, time_ns) - 1
        return at >= 0 and time_ns < ends[at]


def wall_profile(model: Model, where: Everywhere = EVERYWHERE) -> Profile:
    """Threads' time: running by samples, waiting by the waits themselves, which are exact.

    No moment counts twice: a sample inside a wait (kernel work for it) belongs to the wait.
    """
    sums, runners, covered = Sums(), Runners(model), _Covered()
    for wait in _waits(model, where, *_WALL_STATES):
        covered.add(wait)
        state = wait.name if wait.category == s.CAT_THREAD else wait.category
        labels = runners.labels(wait.pid, wait.tid, wait.start_ns) | {"state": state}
        sums.add(wait.frames, labels, wait.duration_ns)
    add_cpu(model, runners, sums, {"state": "running"}, where, covered.has)
    of = health(model)
    disabled = {hook for hook, _reason in of.disabled}
    comments = tuple(
        f"not recorded: {missing}"
        for signal, missing in _WALL_SIGNALS.items()
        if signal not in of.signals or signal in disabled
    )
    return Profile(
        WALL_TYPES,
        sums.samples(),
        cpu_period(model),
        comments=cpu_comments(model) + comments,
    )


def gc_profile(model: Model, where: Everywhere = EVERYWHERE) -> Profile:
    """Garbage collections, by generation and thread."""
    sums, runners = Sums(), Runners(model)
    for run in model.collections:
        pid = model.trace.processes[run.process].pid if run.process >= 0 else 0
        parts = where.thread(pid, run.tid, run.start_ns, run.end_ns)
        if not parts:
            continue
        frames = (Place(f"{s.GC_PREFIX}{run.generation}"),)
        labels = runners.labels(pid, run.tid, run.start_ns) | {"generation": run.generation}
        sums.add(frames, labels, total_ns(parts))
    return Profile(PAUSE_TYPES, sums.samples(), ("collections", "count", 1))


def sched_profile(model: Model, where: Everywhere = EVERYWHERE) -> Profile:
    """How long tasks were ready before they ran, by what made them ready."""
    sums, runners, owners = Sums(), Runners(model), model.owners
    slices = model.trace.slices
    by_id = {
        (process, id_): task
        for task, (process, id_) in enumerate(
            zip(owners.task_process, owners.task_id, strict=True)
        )
    }
    for i, kind in enumerate(owners.kind):
        task = owners.owner[i]
        if kind == READY and task >= 0:
            parts = where.task(task, slices.start_ns[i], slices.end_ns[i])
            if parts:
                ns = total_ns(parts)
                sums.add(_waker(model, by_id, i), runners.task_labels(task), ns)
    return Profile(READY_TYPES, sums.samples(), ("waits", "count", 1))


def _waker(model: Model, by_id: dict[tuple[int, int], int], i: int) -> tuple[Place, ...]:
    """Where a task was made ready, up to the task or callback that did it; if unknown, the
    callback in between, then the waker's function. Without a waker it is the creator's
    function or, for a task that yielded, its own."""
    owners, code = model.owners, model.owners.code[i]
    args = model.trace.args(model.trace.slices.event[i])
    kind, value = code >> WAKER_SHIFT, code & ((1 << WAKER_SHIFT) - 1)
    via = args.get(s.ARG_VIA)
    stack = args.get(s.ARG_STACK)
    inner: tuple[Place, ...] = (Place(via),) if isinstance(via, str) and via else ()
    told = within_task(places_of(stack)) if isinstance(stack, str) else ()
    if told and kind in (WAKER_GROUP, WAKER_NONE):
        return told
    inner = told or inner
    if kind == WAKER_GROUP:
        return (*inner, _function(model, value))
    if kind == WAKER_NONE:
        task = owners.owner[i]
        creator = by_id.get((owners.task_process[task], owners.task_parent[task]))
        if i != owners.task_head[task] and owners.task_head[task] >= 0:
            creator = task
        return (
            _function(model, owners.task_group[creator]) if creator is not None else _OUTSIDE,
        )
    if kind == WAKER_TEXT:
        return (*inner, Place(f"[{model.trace.text(value)}]"))
    if kind == WAKER_THREAD:
        names = [track.thread_name for track in model.threads if track.tid == value]
        return (*inner, Place(f"[thread {names[0] if names else value}]"))
    assert kind == WAKER_LOST
    return (*inner, Place("[unknown task]"))


def _function(model: Model, group: int) -> Place:
    name, site = model.coroutine(group)
    return place_of(site) if site else Place(name)


class Profiler(Protocol):
    """Makes a profile from a trace, or from a part of it."""

    def __call__(self, model: Model, where: Everywhere = EVERYWHERE) -> Profile: ...


PROFILES: dict[str, Profiler] = {
    "cpu": cpu_profile,
    "wall": wall_profile,
    "sched": sched_profile,
    "block": block_profile,
    "mutex": mutex_profile,
    "io": io_profile,
    "gc": gc_profile,
    "heap": heap_profile,
    "allocs": allocs_profile,
    "goroutine": goroutine_profile,
    "threadcreate": threadcreate_profile,
}
