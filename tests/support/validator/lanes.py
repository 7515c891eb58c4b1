"""The validator's rules for thread lanes and locks; `check_…` return what the trace says."""

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import chain, pairwise

from tests.support.validator.slices import Slice, drops_of
from tests.support.validator.strict import Event, Process, Strict
from tracer import schema as s

_LANE = (s.CAT_THREAD, s.CAT_GIL, s.CAT_LOCK, s.CAT_IO, s.CAT_SLEEP)
_KERNEL = (s.PREEMPTED, s.OFF_CPU)
_CALLS = (s.CAT_LOCK, s.CAT_IO, s.CAT_SLEEP)  # a lane without the signal `gil` has these only
_NAMES = {
    s.CAT_THREAD: (s.RUNNING, s.ATTACHED, s.NATIVE, *_KERNEL),
    s.CAT_GIL: (s.GIL_WAIT,),
    s.CAT_SLEEP: (s.SLEEP,),
}
_PREFIXES = {s.CAT_LOCK: s.LOCK_WAIT_PREFIX, s.CAT_IO: s.IO_PREFIX}
_TYPES: dict[str, type] = {
    s.ARG_HOLDER: int,
    s.ARG_HOLDER_NAME: str,
    s.ARG_LOCK: int,
    s.ARG_SITE: str,
    s.ARG_OWNER: int,
    s.ARG_OWNER_NAME: str,
    s.ARG_OWNER_TASK: int,
    s.ARG_OWNER_SITE: str,
    s.ARG_ACQUIRED: int,
    s.ARG_KIND: str,
    s.ARG_FD: int,
    s.ARG_PATH: str,
    s.ARG_PEER: str,
    s.ARG_BYTES: int,
    s.ARG_HOLDING_GIL: int,
    s.ARG_CONTINUES: int,
    s.ARG_SINCE_BEFORE: int,
}


@dataclass(slots=True)
class Lane:
    """A thread's state slices in order; collections nested in them are not among them."""

    tid: int
    name: str
    slices: list[Slice] = field(default_factory=list)

    def named(self, name: str) -> list[Slice]:
        return [each for each in self.slices if each.name == name]

    @property
    def states(self) -> list[str]:
        return [each.name for each in self.slices]

    @property
    def wall_ns(self) -> dict[str, int]:
        """By state's name, finished slices only."""
        found: dict[str, int] = defaultdict(int)
        for each in self.slices:
            if each.end_ns is not None:
                found[each.name] += each.end_ns - each.start_ns
        return dict(found)


@dataclass(slots=True)
class LockSummary:
    kind: str
    track: int
    holds: list[Slice] = field(default_factory=list)

    @property
    def holders(self) -> list[str]:
        return [each.name for each in self.holds]


@dataclass(frozen=True, slots=True)
class Rules:
    """What a process's recording says about its lanes. `until_ns` is when `gil` was disabled;
    `attached`: its Python has no GIL."""

    gil: bool
    io: bool
    sched: bool
    locks: bool
    attached: bool
    until_ns: int
    drops: tuple[tuple[int, int], ...]  # (since, until)
    last_ns: int

    def excuses(self, start_ns: int, end_ns: int) -> bool:
        """Nothing need be known of the time between."""
        dropped = any(since < end_ns and start_ns <= until for since, until in self.drops)
        return dropped or start_ns >= self.until_ns


def check_lanes(trace: Strict, slices: list[Slice]) -> dict[tuple[int, int], Lane]:
    """Lanes are partitions of legal states, and one thread at a time has the GIL."""
    rules = rules_of(trace)
    found: dict[tuple[int, int], Lane] = {}
    lanes = lanes_of(slices)
    for each in chain.from_iterable(lanes.values()):
        track = trace.tracks[each.begin.track]
        assert track.tid, f"a thread's state on a track that is no thread's: {each.begin}"
        assert each.depth == 0, f"a thread's state inside another slice: {each.begin}"
        _check_state(each, rules[id(each.begin.process)])
        thread = found.setdefault((track.pid, track.tid), Lane(track.tid, track.thread_name))
        thread.slices.append(each)
    for lane in lanes.values():
        said = rules[id(lane[0].begin.process)]
        waits = [each for each in lane if each.category == s.CAT_LOCK]
        # Without a GIL the recording may end while a thread tells of its wait.
        is_attached = any(each.name == s.ATTACHED for each in lane)
        for each in waits[:-1] if is_attached else waits:
            _check_wait(each, said)
        for before, after in pairwise(lane if said.gil else ()):
            end_ns = before.end_ns or said.last_ns
            assert end_ns == after.start_ns or said.excuses(end_ns, after.start_ns), (
                f"a gap of {after.start_ns - end_ns} ns between {before.name!r} and "
                f"{after.begin}"
            )
    for process in trace.processes:
        mine = [
            each for lane in lanes.values() for each in lane if each.begin.process is process
        ]
        if trace.torn_bytes:  # a kill has cut a write off, with the ends of what was open
            mine = [each for each in mine if each.end_ns is not None]
        _check_exclusion(mine, rules[id(process)])
    _check_hand_overs(trace, lanes)
    return found


def lanes_of(slices: list[Slice]) -> dict[int, list[Slice]]:
    """The states of threads by track, in order."""
    lanes: dict[int, list[Slice]] = defaultdict(list)
    for each in slices:
        if each.category in _LANE:
            lanes[each.begin.track].append(each)
    return lanes


def rules_of(trace: Strict) -> dict[int, Rules]:
    """By the `id` of each process."""
    return {id(process): _rules(process) for process in trace.processes}


def _rules(process: Process) -> Rules:
    signals = str(process.events[0].args.get(s.ARG_SIGNALS, "")).split(",")
    disabled = [
        e.time_ns
        for e in process.events
        if e.name == s.HOOK_DISABLED and e.args.get(s.ARG_HOOK) == "gil"
    ]
    drops = tuple((since, until) for since, until, _ in drops_of(process))
    last_ns = max(e.time_ns for e in process.events)
    return Rules(
        "gil" in signals,
        "io" in signals,
        "sched" in signals,
        "locks" in signals,
        any(e.name == s.ATTACHED for e in process.events),
        min(disabled, default=1 << 63),
        drops,
        last_ns,
    )


def _check_types(event: Event) -> None:
    for name, value in event.args.items():
        assert isinstance(value, _TYPES.get(name, object)), f"{name} is wrong: {event}"


def _check_state(each: Slice, rules: Rules) -> None:
    event = each.begin
    prefix = _PREFIXES.get(event.category)
    if prefix:
        legal = event.name.startswith(prefix) and len(event.name) > len(prefix)
    else:
        legal = event.name in _NAMES[event.category]
    assert legal, f"no state of a thread: {event}"
    assert rules.gil or event.category in _CALLS, f"a state without the signal gil: {event}"
    untold = () if rules.sched else _KERNEL if rules.io else (s.PREEMPTED,)
    assert event.name not in untold, f"a state without the signal sched: {event}"
    for side in (each.begin, each.end):
        if side is not None:
            _check_types(side)
    can_hold = event.name in _KERNEL or event.category in _CALLS
    assert can_hold or s.ARG_HOLDING_GIL not in each.args, f"cannot hold the GIL: {event}"


def _check_wait(each: Slice, rules: Rules) -> None:
    event = each.begin
    # Only the signal `locks` knows more than libc, whose names are lower case.
    known = rules.locks and event.name.removeprefix(s.LOCK_WAIT_PREFIX)[0].isupper()
    is_wait = event.category == s.CAT_LOCK and (known or s.ARG_LOCK in each.args)
    # What is known only at the end of a wait is missing when its end is not its own.
    if is_wait and each.end_ns is not None and not rules.excuses(each.end_ns, each.end_ns + 1):
        for name in (s.ARG_LOCK, s.ARG_SITE, s.ARG_ACQUIRED):
            assert name in each.args, f"a lock wait without {name}: {event}"


def _check_exclusion(states: list[Slice], rules: Rules) -> None:
    """One thread at a time has the GIL; or there is none, and nobody waits for it."""
    held = []
    attached = [each for each in states if each.name == s.ATTACHED]
    for each in states:
        end_ns = 1 << 63 if each.end_ns is None else each.end_ns
        has_gil = each.name == s.RUNNING or each.args.get(s.ARG_HOLDING_GIL)
        if has_gil and end_ns > each.start_ns and each.start_ns < rules.until_ns:
            held.append((each.start_ns, end_ns, each.begin))
        is_of_gil = has_gil or each.category == s.CAT_GIL
        assert not (attached and is_of_gil), f"a GIL, where {attached[0].begin}: {each.begin}"
    held.sort(key=lambda row: row[:2])
    for (_, end_ns, before), (start_ns, _, after) in pairwise(held):
        assert end_ns <= start_ns, f"two threads have the GIL: {before} and {after}"


def _check_hand_overs(trace: Strict, lanes: dict[int, list[Slice]]) -> None:
    """A release's flow ends in what another thread does after the lock wait it ended: next,
    or, when the thread had turned to the GIL before (for a signal), next but one."""
    waits_end: dict[tuple[int, int | None], int] = {}  # (track, end) -> no release before
    for track, lane in lanes.items():
        for before, each in pairwise([*lane[:1], *lane]):
            if each.category == s.CAT_LOCK:
                waits_end[track, each.end_ns] = 0
            elif each.category == s.CAT_GIL and before.category == s.CAT_LOCK:
                waits_end.setdefault((track, each.end_ns), each.start_ns)
    begins = {id(each.begin) for lane in lanes.values() for each in lane}
    targets = {flow: event for event in trace.events for flow in event.ends_flows}
    for event in trace.events:
        if event.name != s.RELEASE or event.category != s.CAT_LOCK:
            continue
        assert event.type == s.TYPE_INSTANT, f"a release that is no instant: {event}"
        assert trace.tracks[event.track].tid, f"a release that is on no thread: {event}"
        for flow in event.flows:
            target = targets.get(flow)
            if target is None:
                continue  # lost, or an error that the rule on flows names
            assert target.track != event.track, f"a release to its own thread: {event}"
            assert id(target) in begins, f"a release to what is no state: {target}"
            since_ns = waits_end.get((target.track, target.time_ns), 1 << 63)
            assert event.time_ns >= since_ns, (
                f"a release to a state that follows no lock wait: {target}"
            )


def check_locks(trace: Strict, slices: list[Slice]) -> dict[tuple[int, int], LockSummary]:
    """A lock has one track below `Locks`, and one holder at a time on it."""
    found: dict[tuple[int, int], LockSummary] = {}
    of_track: dict[int, int] = {}
    for each in slices:
        event = each.begin
        if event.category != s.CAT_HOLD:
            continue
        parent = trace.tracks.get(trace.tracks[event.track].parent)
        assert parent, f"a hold on a track without parent: {event}"
        assert parent.name == s.TRACK_LOCKS, f"a hold that is not below Locks: {event}"
        assert each.depth == 0, f"a hold inside another slice: {event}"
        _check_types(event)
        for name in (s.ARG_LOCK, s.ARG_KIND):
            assert name in each.args, f"a hold without {name}: {event}"
        assert {s.ARG_OWNER, s.ARG_OWNER_TASK} & set(each.args), f"nobody's hold: {event}"
        key = event.process.pid, int(each.args[s.ARG_LOCK])
        lock = found.setdefault(key, LockSummary(str(each.args[s.ARG_KIND]), event.track))
        assert lock.track == event.track, f"lock {key[1]} on a second track: {event}"
        assert lock.kind == each.args[s.ARG_KIND], f"lock {key[1]} changes its kind: {event}"
        known = of_track.setdefault(event.track, key[1])
        assert known == key[1], f"locks {known} and {key[1]} on one track: {event}"
        lock.holds.append(each)
    for event in trace.events:
        if trace.tracks[event.track].name == s.COUNTER_WAITERS:
            assert event.counter is not None, f"no counter: {event}"
            assert event.counter < 1 << 63, f"fewer waiters than none: {event}"
    return found
