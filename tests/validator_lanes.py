"""The validator's rules for threads: one state at a time, one holder of the GIL."""

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise

from tests.strict import Arg, Event, Process, Strict
from tracer import schema as s

STATES = {
    s.CAT_THREAD: {s.RUNNING, s.NATIVE, s.PREEMPTED, s.OFF_CPU},
    s.CAT_GIL: {s.GIL_WAIT},
    s.CAT_SLEEP: {s.SLEEP},
}
PREFIXES = {s.CAT_IO: s.IO_PREFIX, s.CAT_LOCK: s.LOCK_WAIT_PREFIX}
WAITS = {s.CAT_LOCK, s.CAT_IO, s.CAT_SLEEP}
_EVER = 1 << 63


@dataclass(slots=True)
class Slice:
    """`end_ns` is None while open at the end of the trace."""

    begin: Event
    depth: int
    around: "Slice | None"
    end_ns: int | None = None
    end: Event | None = None

    @property
    def args(self) -> dict[str, Arg]:
        """Those of the BEGIN and those of the END."""
        return self.begin.args | (self.end.args if self.end else {})

    @property
    def start_ns(self) -> int:
        return self.begin.time_ns

    @property
    def name(self) -> str:
        return self.begin.name


@dataclass(slots=True)
class Lane:
    """The states of one thread, in order."""

    tid: int
    name: str
    slices: list[Slice] = field(default_factory=list)

    def named(self, name: str) -> list[Slice]:
        return [each for each in self.slices if each.name == name]


type Drops = dict[int, list[tuple[int, int, int]]]


def check_lanes(
    trace: Strict, slices: list[Slice], drops: Drops
) -> dict[tuple[int, int], Lane]:
    """The lanes by (pid, tid). Raises AssertionError with the first rule that is broken."""
    tracks: dict[int, list[Slice]] = defaultdict(list)
    for each in slices:
        if each.depth == 0 and each.begin.track in trace.threads:
            tracks[each.begin.track].append(each)
    lanes: dict[tuple[int, int], Lane] = {}
    held: dict[int, list[Slice]] = defaultdict(list)
    for track, states in tracks.items():
        tid, name = trace.threads[track]
        process = states[0].begin.process
        lane = lanes.setdefault((process.pid, tid), Lane(tid, name))
        with_gil = "gil" in _signals(process)
        states = [each for each in states if with_gil or each.begin.category != s.CAT_GC]
        for each in states:
            _check_state(each)
        _check_partition(states, drops[id(process)], with_gil)
        lane.slices += states
        held[id(process)] += [each for each in states if _holds_gil(each)]
    for found in held.values():
        _check_exclusion(found)
    _check_holds(slices)
    return lanes


def _signals(process: Process) -> list[str]:
    recording = next(e for e in process.events if e.name == s.RECORDING)
    disabled = {e.args.get(s.ARG_HOOK) for e in process.events if e.name == s.HOOK_DISABLED}
    told = str(recording.args.get(s.ARG_SIGNALS, "")).split(",")
    return [signal for signal in told if signal not in disabled]


def _check_state(each: Slice) -> None:
    event = each.begin
    if event.category in PREFIXES:
        assert event.name.startswith(PREFIXES[event.category]), f"not so named: {event}"
    else:
        assert event.name in STATES.get(event.category, ()), f"no state of a thread: {event}"
    if event.category == s.CAT_LOCK and each.end_ns is not None and s.ARG_LOCK in each.args:
        assert s.ARG_ACQUIRED in each.args, f"a wait that does not say how it ended: {event}"


def _check_partition(
    states: list[Slice], drops: list[tuple[int, int, int]], gapless: bool
) -> None:
    for before, after in pairwise(states):
        end_ns = before.end_ns
        assert end_ns is not None, f"two states at once: {before.begin} and {after.begin}"
        assert end_ns <= after.start_ns, f"{before.begin} ends in {after.begin}"
        if gapless and end_ns != after.start_ns:
            assert drops, f"a gap of {after.start_ns - end_ns} ns before {after.begin}"


def _holds_gil(each: Slice) -> bool:
    if each.name == s.RUNNING:
        return True
    return bool(each.begin.args.get(s.ARG_HOLDING_GIL))


def _check_exclusion(held: list[Slice]) -> None:
    """In order of begin each must have ended before the next begins."""
    held.sort(key=lambda each: (each.start_ns, each.end_ns or _EVER))
    last = None
    for each in held:
        if last is not None and (last.end_ns or _EVER) > each.start_ns:
            assert last.begin.track == each.begin.track, (
                f"two threads with the GIL: {last.begin} until {last.end_ns} and {each.begin}"
            )
        if last is None or (each.end_ns or _EVER) >= (last.end_ns or _EVER):
            last = each


def _check_holds(slices: list[Slice]) -> None:
    for each in slices:
        event = each.begin
        if event.category != s.CAT_HOLD:
            continue
        assert each.depth == 0, f"two holders of one lock: {event}"
        assert isinstance(event.args.get(s.ARG_LOCK), int), f"a hold of no lock: {event}"
        assert event.args.get(s.ARG_KIND), f"a hold without kind: {event}"
        owners = {s.ARG_OWNER, s.ARG_OWNER_TASK} & event.args.keys()
        assert len(owners) == 1, f"a hold by {sorted(owners) or 'nobody'}: {event}"
