"""The validator's rules for flows: two ends each, and what was woken leads to its waker."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from tests.support.validator.jobs import is_not_there
from tests.support.validator.slices import drops_of
from tests.support.validator.strict import Event, Process, Strict
from tracer import schema as s

NEVER_RAN = "a callback or job that never ran"
REFUSED = "a thread that the system refused"
NO_CHILD = "a child that did not record itself"
NOT_READ = "a result or message that nobody read"
NOT_SHOWN = "a step of a loop that is not shown"
ELSEWHERE = "a process whose trace is in another file, or that did not begin one"

# What may be the source of a flow that nothing ends, and why that is.
_UNENDED = {
    s.THREAD_START: REFUSED,
    s.WAKE: NEVER_RAN,
    s.SUBMIT: NEVER_RAN,
    s.RUNNING: NEVER_RAN,
    s.FORK: NO_CHILD,
    s.SPAWN: NO_CHILD,
    s.EXEC: NO_CHILD,
    s.RESULT_SENT: NOT_READ,
    s.MESSAGE_SENT: NOT_READ,
}
_STARTS = (s.FORK, s.SPAWN, s.EXEC)
_MOST_CALLBACKS = 10_000
_SOON_NS = 1_000_000_000

Flows = dict[int, Event]


def check_arrows(trace: Strict, task_of: dict[int, int]) -> tuple[int, Counter[str]]:
    """How many flows there are, and what they leave open, by reason.

    `task_of` has by `id` of a `running` slice's event its task.
    """
    sources, targets = _ends(trace)
    lossy = {id(p) for p in trace.processes if _is_lossy(p)}
    unknown: Counter[str] = Counter()
    for flow in sources.keys() ^ targets.keys():
        event = sources.get(flow) or targets[flow]
        reason = (
            _why_unended(trace, event) if flow in sources else _why_sourceless(trace, event)
        )
        if reason:
            unknown[reason] += 1
        else:
            assert lossy, f"flow {flow} has only one end: {event}"
    for flow in sources.keys() & targets.keys():
        source, target = sources[flow], targets[flow]
        assert source.time_ns <= target.time_ns, f"flow {flow}: {source} after {target}"
    wakers = _Wakers(trace, sources, task_of)
    for event in trace.events:
        if event.name == s.READY and id(event.process) not in lossy:
            unknown.update(wakers.check(event))
    return len(sources.keys() & targets.keys()), unknown


def _ends(trace: Strict) -> tuple[Flows, Flows]:
    """Each flow id has at most one source and one target."""
    sources: Flows = {}
    targets: Flows = {}
    for event in trace.events:
        for ids, found in ((event.flows, sources), (event.ends_flows, targets)):
            for flow in ids:
                assert flow not in found, f"flow {flow} twice: {found.get(flow)} and {event}"
                found[flow] = event
                assert event.type in (s.TYPE_SLICE_BEGIN, s.TYPE_INSTANT), (
                    f"flow {flow} on an end or counter: {event}"
                )
    return sources, targets


def _is_lossy(process: Process) -> bool:
    """What is lost at a kill or in a full buffer may be one end of a flow."""
    is_cut = not any(event.name == s.RECORDING_ENDED for event in process.events)
    return is_cut or bool(drops_of(process))


def _why_sourceless(trace: Strict, target: Event) -> str:
    """The parent of a child that is alone in its file is not there, nor is the worker of a
    pool that did not record itself."""
    if is_not_there(trace, target):
        return ELSEWHERE
    parent = target.process.events[0].args.get(s.ARG_PARENT_PID)
    is_alone = all(process.pid != parent for process in trace.processes)
    if target.name == s.MESSAGE_RECEIVED and (not _is_whole(trace) or _ended(trace, target)):
        return ELSEWHERE
    return ELSEWHERE if target.name == s.PROCESS_STARTED and is_alone else ""


def _ended(trace: Strict, received: Event) -> bool:
    """Whether the recording of another process ended before it could tell what it had just
    written."""
    return any(
        event.time_ns <= received.time_ns + _SOON_NS
        for event in trace.events
        if event.name == s.RECORDING_ENDED and event.process is not received.process
    )


def _is_whole(trace: Strict) -> bool:
    """Whether the traces of all processes of a family are there."""
    parents = [process.events[0].args.get(s.ARG_PARENT_PID) for process in trace.processes]
    pids = {process.pid for process in trace.processes}
    children = {
        event.args.get(s.ARG_CHILD)
        for event in trace.events
        if event.name in _STARTS and event.args.get(s.ARG_FOLLOWED)
    }
    return {*parents, *children} - {None} <= pids


def _why_unended(trace: Strict, source: Event) -> str:
    if source.name in _STARTS:
        child = source.args.get(s.ARG_CHILD, source.process.pid)
        began = [p for p in trace.processes if p.pid == child and p is not source.process]
        return "" if began else ELSEWHERE
    return NEVER_RAN if _is_callback(source) else _UNENDED.get(source.name, "")


def _is_callback(event: Event) -> bool:
    is_step = event.category == s.CAT_LOOP and event.type == s.TYPE_SLICE_BEGIN
    return is_step and s.ARG_TASK not in event.args and event.name != s.SELECT


def steps_around(trace: Strict) -> dict[int, Event]:
    """By `id` of an instant inside a step, the begin of that step on the loop's track."""
    found: dict[int, Event] = {}
    stacks: dict[int, list[Event]] = defaultdict(list)
    for event in trace.events:  # a loop's are in the order in which they happened
        stack = stacks[event.track]
        if event.type == s.TYPE_SLICE_BEGIN and event.category == s.CAT_LOOP:
            stack.append(event)
        elif event.type == s.TYPE_SLICE_END and stack:
            stack.pop()
        elif event.category == s.CAT_LOOP and event.name in (s.WAKE, s.SUBMIT):
            assert stack, f"an instant of a step outside any step: {event}"
            found[id(event)] = stack[-1]
    return found


class _Wakers:
    """Follows arrows backwards from a `ready`, by way of callbacks."""

    def __init__(self, trace: Strict, sources: Flows, task_of: dict[int, int]) -> None:
        self.trace, self.sources, self.task_of = trace, sources, task_of
        self.around = steps_around(trace)

    def check(self, ready: Event) -> Iterable[str]:
        """The arrow comes from the waker that `ready` names."""
        task, thread = (ready.args.get(of) for of in (s.ARG_WAKER_TASK, s.ARG_WAKER_THREAD))
        if task is None and thread is None:
            return ()
        source = self.source_of(ready)
        for _ in range(_MOST_CALLBACKS):
            if not _is_callback(source):
                break
            source = self.source_of(source)
        tid = self.trace.tracks[source.track].tid
        if source.name == s.WAKE and tid:
            if task is not None or (s.ARG_VIA in ready.args and thread != tid):
                return (NOT_SHOWN,)
            assert thread == tid, f"not woken by thread {thread}: {source}, {ready}"
            return ()
        on_loop = source.args.get(s.ARG_TASK) if source.category == s.CAT_LOOP else None
        by = self.task_of.get(id(source), on_loop)
        assert by is not None, f"what wakes is no step, callback or wake: {source}"
        assert by == task, f"not woken by task {task}: {source}, {ready}"
        return ()

    def source_of(self, event: Event) -> Event:
        """Whose arrow ends in it; for an instant inside a step, that step."""
        found = [self.sources[flow] for flow in event.ends_flows if flow in self.sources]
        assert found, f"somebody caused it, and no arrow says who: {event}"
        return self.around.get(id(found[0]), found[0])
