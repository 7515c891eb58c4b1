"""The meaning of the columns: loops, tasks, threads, collections."""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tracer import schema as s
from viewer.trace import columns, symbols
from viewer.trace.columns import AWAIT, READY, RUNNING, SELECT, Column, Owners, States
from viewer.trace.garbage import Collections, find_collections
from viewer.trace.loops import Loop, Nouns, find_loops, nouns_of
from viewer.trace.reader import Trace
from viewer.trace.remarks import Remarks
from viewer.trace.signals import without_signals
from viewer.trace.sites import Names
from viewer.trace.tracks import Threads
from viewer.trace.users import with_user_sites, with_user_tasks

_SYMBOLS = {
    symbols.TASK: s.CAT_TASK,
    symbols.CAT_LIFETIME: s.CAT_LIFETIME,
    symbols.CAT_LOOP: s.CAT_LOOP,
    symbols.CAT_GC: s.CAT_GC,
    symbols.ARG_NAME: s.ARG_NAME,
    symbols.ARG_CORO: s.ARG_CORO,
    symbols.ARG_SITE: s.ARG_SITE,
    symbols.ARG_PARENT: s.ARG_PARENT,
    symbols.ARG_WAKER: s.ARG_WAKER,
    symbols.ARG_WAKER_TASK: s.ARG_WAKER_TASK,
    symbols.ARG_WAKER_THREAD: s.ARG_WAKER_THREAD,
}
_STATE_SYMBOLS = {
    symbols.LOCK: s.ARG_LOCK,
    symbols.SITE: s.ARG_SITE,
    symbols.OWNER: s.ARG_OWNER,
    symbols.OWNER_TASK: s.ARG_OWNER_TASK,
    symbols.OWNER_NAME: s.ARG_OWNER_NAME,
    symbols.OWNER_SITE: s.ARG_OWNER_SITE,
    symbols.ACQUIRED: s.ARG_ACQUIRED,
    symbols.KIND: s.ARG_KIND,
    symbols.HOLDING_GIL: s.ARG_HOLDING_GIL,
    symbols.CONTINUES_CALL: s.ARG_CONTINUES,
    symbols.BYTES: s.ARG_BYTES,
    symbols.RELEASE: s.RELEASE,
    symbols.ATTACHED: s.ATTACHED,
}
_CATEGORY_STATES = {
    s.CAT_THREAD: columns.THREAD_RUNNING,
    s.CAT_GIL: columns.GIL_WAIT,
    s.CAT_LOCK: columns.LOCK_WAIT,
    s.CAT_IO: columns.IO,
    s.CAT_SLEEP: columns.SLEEP,
    s.CAT_HOLD: columns.HOLD,
}
_THREAD_STATES = {
    s.RUNNING: columns.THREAD_RUNNING,
    s.ATTACHED: columns.THREAD_RUNNING,
    s.NATIVE: columns.NATIVE,
    s.PREEMPTED: columns.PREEMPTED,
    s.OFF_CPU: columns.OFF_CPU,
}
# What somebody holds while others wait for it; nobody holds what the other kinds wait for.
_EXCLUSIVE = ("Lock", "RLock", "Semaphore", "BoundedSemaphore")
_STATES = {s.READY: READY, s.RUNNING: RUNNING, s.SELECT: SELECT}
_NO_STRING = -2  # neither a string index nor -1, "no name"


class _Coroutines(list[tuple[str, str]]):
    """By group of tasks."""


@dataclass(frozen=True, slots=True)
class Model:
    """A trace, and the threads, tasks and loops in it."""

    trace: Trace
    owners: Owners
    loops: tuple[Loop, ...]
    lane: Column  # i, by slice: index into loops, -1 none
    track_lane: Column  # i, by track: the same
    threads: Threads
    thread_names: tuple[
        str, ...
    ]  # by thread; threads that share a name have their tid appended
    thread_process: Column  # i, by thread: -1 unknown, or it has no events
    states: States
    collections: Collections
    remarks: Remarks
    # What `derive` has made, by its class.
    derived: dict[type, object] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    @property
    def start_ns(self) -> int:
        return self.trace.processes.span_ns[0]

    @property
    def end_ns(self) -> int:
        return self.trace.processes.span_ns[1]

    def derive[T](self, kind: type[T], make: Callable[[], T]) -> T:
        """What one analysis makes of the model on its first use, and others use again."""
        found = self.derived.get(kind)
        if not isinstance(found, kind):
            found = self.derived[kind] = make()
        return found

    @property
    def nouns(self) -> Nouns:
        return self.derive(Nouns, lambda: nouns_of(self.loops))

    def nouns_on(self, loop: int) -> Nouns:
        """The words for one loop of the trace, which may have others of another kind."""
        return nouns_of((self.loops[loop],)) if loop >= 0 else self.nouns

    def nouns_for(self, tasks: Iterable[int]) -> Nouns:
        """The words for some tasks: for any, where their loops are of several kinds."""
        take, at = self.trace.engine.take, memoryview(array("i", tasks))
        lanes = {*take(self.lane, take(self.owners.task_head, at, -1), -1).tolist()} - {-1}
        return nouns_of(tuple(self.loops[lane] for lane in lanes)) if lanes else self.nouns

    def pid(self, process: int) -> int:
        return self.trace.pid(process)

    def pids(self, processes: Iterable[int]) -> list[int]:
        """`pid` of each of very many."""
        found = [*processes]
        known = {process: self.pid(process) for process in {*found}}
        return [*map(known.__getitem__, found)]

    def coroutine(self, group: int) -> tuple[str, str]:
        """Name and site of the coroutine function of a group of tasks.

        When the first slices of its tasks are lost, only the track's name is known.
        """
        head = self.owners.group_head[group]
        coro, site = self.owners.task_coro[head], self.owners.task_site[head]
        if coro >= 0:
            return self.trace.text(coro), self.trace.text(site)
        event = self.trace.slices.event[self.owners.task_head[head]]
        uuid = self.trace.events.uuids[self.trace.events.track[event]]
        track = self.trace.tracks.get(uuid)
        return (track.name if track and track.name else "(unknown task)"), ""

    def coroutines(self) -> Sequence[tuple[str, str]]:
        """`coroutine` of each group, found once: there may be as many as tasks."""
        return self.derive(_Coroutines, self._find_coroutines)

    def group_of(self, coro: str, site: str) -> int:
        """The first group of tasks of this coroutine."""
        return self.coroutines().index((coro, site))

    def _find_coroutines(self) -> "_Coroutines":
        take, text = self.trace.engine.take, self.trace.events.strings.__getitem__
        heads = self.owners.group_head
        coros, sites = (
            take(column, heads, -1)
            for column in (self.owners.task_coro, self.owners.task_site)
        )
        if -1 in coros or -1 in sites:
            return _Coroutines(map(self.coroutine, range(len(heads))))
        return _Coroutines(zip(map(text, coros), map(text, sites), strict=True))

    def task_name(self, task: int) -> str:
        """The newest name of a task; its track's when the first slice is lost."""
        name = self.owners.task_name[task]
        return self.trace.text(name) if name >= 0 else self.coroutine_of(task)

    def task_keys(self, kind: int) -> Column:
        """By slice the task, if it is a state of that kind, else -1."""
        owned = self.owners
        every = self.trace.engine.upto(0, len(owned.task_id))
        return self.trace.engine.group_keys(owned.kind, owned.owner, every, kind)

    def coroutine_of(self, task: int) -> str:
        return self.coroutine(self.owners.task_group[task])[0]


def build_model(trace: Trace, names: str = Names.USER) -> Model:
    """The model of a trace; the user's code, or the library's, names sites and tasks."""
    if names == Names.USER:
        trace = with_user_sites(trace)
    owned = _find_owners(trace)
    threads = Threads(trace.tracks)
    track_thread, thread_process = _find_threads(trace, threads)
    loops, track_lane = find_loops(trace, threads)
    lane = trace.engine.gather(trace.slices.event, trace.events.track, track_lane)
    if names == Names.USER:
        pids = {process: trace.pid(process) for process in {loop.process for loop in loops}}
        loop_threads = [(pids[loop.process], loop.tid) for loop in loops]
        named = with_user_tasks(trace, owned, lane, loop_threads)
        if named is not trace:
            trace, owned = named, _find_owners(named)
    found = _find_states(trace, owned, track_thread, len(threads))
    on_loops = {(loop.process, loop.tid) for loop in loops}
    return Model(
        trace,
        owned,
        loops,
        lane,
        track_lane,
        threads,
        tuple(_thread_names(trace, threads, thread_process)),
        thread_process,
        without_signals(trace, found, threads, thread_process, on_loops),
        find_collections(trace, owned),
        Remarks(trace),
    )


def _find_owners(trace: Trace) -> Owners:
    events, slices = trace.events, trace.slices
    return trace.engine.assign(
        slices.event,
        slices.parent,
        events.track,
        events.name,
        events.category,
        events.arg_start,
        events.arg_name,
        events.arg_kind,
        events.arg_value,
        trace.track_process,
        _symbols(_SYMBOLS, trace),
        trace.named(_STATES, dict.fromkeys(trace.await_names, AWAIT)),
    )


def _symbols(texts: dict[int, str], trace: Trace) -> Column:
    found = (trace.symbol(texts[i]) for i in range(len(texts)))
    return memoryview(array("i", (each if each >= 0 else _NO_STRING for each in found)))


def _thread_names(trace: Trace, threads: Threads, processes: Column) -> list[str]:
    """`main`; `worker (1234)` where several share a name; `thread 1234` without a name."""
    names = threads.names
    if len(trace.engine.pairs(processes, threads.name_of).head) == len(names) and all(names):
        return names
    owned = names if len({*processes}) < 2 else [*zip(processes, names, strict=True)]
    times = Counter[object](owned)
    return [
        (name if times[of] < 2 else f"{name} ({tid})") if name else f"thread {tid}"
        for of, name, tid in zip(owned, names, threads.tids, strict=True)
    ]


def _find_threads(trace: Trace, threads: Threads) -> tuple[Column, Column]:
    """By track its thread, by thread the process of its first track; -1 none."""
    track_thread, nothing = threads.of_track, memoryview(bytes(8 * len(trace.track_process)))
    firsts = trace.engine.spans(nothing.cast("q"), track_thread, len(threads)).first
    return track_thread, trace.engine.take(trace.track_process, firsts, -1)


def _find_states(trace: Trace, owned: Owners, track_thread: Column, threads: int) -> States:
    events, slices = trace.events, trace.slices
    categories = bytearray(len(events.strings))
    for text, state in _CATEGORY_STATES.items():
        if (symbol := trace.symbol(text)) >= 0:
            categories[symbol] = state
    return trace.engine.states(
        slices.event,
        slices.end_event,
        slices.start_ns,
        slices.end_ns,
        events.track,
        events.name,
        events.category,
        events.arg_start,
        events.arg_name,
        events.arg_kind,
        events.arg_value,
        trace.track_process,
        track_thread,
        _symbols(_STATE_SYMBOLS, trace),
        memoryview(categories),
        trace.named(_THREAD_STATES, _lock_waits(trace)),
        owned.kind,
        owned.owner,
        events.flow_event,
        events.flow_id,
        events.flow_end,
        threads,
    )


def _lock_waits(trace: Trace) -> dict[int, int]:
    """By name of a wait whether somebody holds what it is for."""
    found = {}
    for name in trace.begin_with(s.LOCK_WAIT_PREFIX):
        kind = trace.text(name).removeprefix(s.LOCK_WAIT_PREFIX).split(".")[-1]
        found[name] = columns.LOCK_WAIT if kind in _EXCLUSIVE else columns.IDLE_WAIT
    return found
