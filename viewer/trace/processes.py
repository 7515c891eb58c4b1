"""The processes of a trace, in columns; each as one value when somebody asks for it."""

from array import array
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import cached_property
from itertools import compress
from operator import gt
from typing import TYPE_CHECKING, NamedTuple, Self, overload

from tracer import schema as s
from viewer.trace.columns import Column, Spans

if TYPE_CHECKING:
    from viewer.trace.reader import Trace

# Instants in which a process says of its recording how it began, and how it ended.
_OF_RECORDING = (
    *(s.RECORDING, s.RECORDING_ENDED, s.RECORDING_CUT),
    *(s.EXEC, s.EXEC_FAILED, s.SNAPSHOT),
)

type Arg = int | float | str


def number_of(args: Mapping[str, Arg], name: str, missing: int = 0) -> int:
    """An integer among an event's arguments; `missing` where it is absent, or no integer."""
    value = args.get(name, missing)
    return value if isinstance(value, int) else missing


class Said(Mapping[str, Arg]):
    """The arguments of an event, read when somebody asks; of -1 there are none."""

    def __init__(self, trace: "Trace", event: int) -> None:
        self._trace, self._event = trace, event

    @property
    def _args(self) -> dict[str, Arg]:
        return self._trace.args(self._event) if self._event >= 0 else {}

    def __getitem__(self, name: str) -> Arg:
        return self._args[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._args)

    def __len__(self) -> int:
        starts, event = self._trace.events.arg_start, self._event
        return starts[event + 1] - starts[event] if event >= 0 else 0


class Process(NamedTuple):
    """One recorded process.

    `recording_ended` is None when the trace does not say how it ended. `recording_cut` is what
    it says of a file that could not be written on; `replaced_by` the program that took the
    process over (exec), "" if none did; `replaced_why` is why that does not record itself;
    `snapshot` what the trace says of itself if it is one.
    """

    pid: int
    start_ns: int
    end_ns: int
    start_unix_ns: int
    recording: Mapping[str, Arg]
    recording_ended: Mapping[str, Arg] | None
    recording_cut: Mapping[str, Arg] | None = None
    replaced_by: str = ""
    live: bool = False  # it was being recorded when it was read
    uuid: int = 0  # of its track
    replaced_why: str = ""
    snapshot: Mapping[str, Arg] | None = None


class _Columns(NamedTuple):
    """By process."""

    uuid: Column  # Q: of its track
    pid: Column  # i
    word: Column  # i: the first event in which it speaks of its recording; -1 none
    start_ns: Column  # q: when that was; 0 never
    end_ns: Column  # q
    begin: Column  # i: here and below the last event of this name; -1 none
    end: Column  # i
    cut: Column  # i
    exec: Column  # i
    exec_failed: Column  # i
    snapshot: Column  # i


class Processes(Sequence[Process]):
    """The processes by number. There may be one of each request: what is asked of all is asked
    of columns."""

    def __init__(
        self, trace: "Trace", columns: _Columns, live: Set[int], has_rings: bool
    ) -> None:
        self._trace, self._of, self._has_rings = trace, columns, has_rings
        self.live = live & {*columns.uuid} if live else live  # the tracks of those
        self._made: dict[int, Process] = {}
        # The clocks of one machine agree, so one serves for all processes.
        clocks = zip(trace.events.clock_real_ns, trace.events.clock_mono_ns, strict=True)
        self._unix_ns = next((real - mono for real, mono in clocks if real), 0)

    @classmethod
    def read(
        cls, trace: "Trace", uuids: Column, pids: Column, live: Set[int], has_rings: bool
    ) -> Self:
        """With what each says of its recording; `live` are tracks."""
        events, engine = trace.events, trace.engine
        of_tracer = engine.pick(
            trace.instants(events.name, *_OF_RECORDING),
            events.category,
            trace.mark(s.CAT_TRACER),
        )

        def by_process(named: Column) -> Spans:
            nothing = memoryview(bytes(8 * len(named))).cast("q")
            of = engine.gather(named, events.track, trace.track_process)
            return engine.spans(nothing, of, len(pids))

        def newest(name: str) -> Column:
            named = engine.pick(of_tracer, events.name, trace.mark(name))
            return engine.take(named, by_process(named).last, -1)

        firsts = engine.take(of_tracer, by_process(of_tracer).first, -1)
        columns = _Columns(
            uuids,
            pids,
            firsts,
            engine.take(events.time_ns, firsts, 0),
            trace.slices.process_end_ns[1:],
            *map(newest, _OF_RECORDING),
        )
        return cls(trace, columns, live, has_rings)

    def __len__(self) -> int:
        return len(self._of.pid)

    @overload
    def __getitem__(self, at: int) -> Process: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Process]: ...
    def __getitem__(self, at: int | slice) -> Process | Sequence[Process]:
        if isinstance(at, slice):
            return [self[i] for i in range(len(self))[at]]
        if at not in self._made:
            self._made[at] = self._make(range(len(self))[at])
        return self._made[at]

    def _make(self, i: int) -> Process:
        of, trace = self._of, self._trace
        start, became, snapshot = of.start_ns[i], self._became(i), of.snapshot[i]

        def said(event: int) -> Said | None:
            return Said(trace, event) if event >= 0 else None

        return Process(
            of.pid[i],
            start,
            of.end_ns[i],
            start + self._unix_ns if self._unix_ns and of.word[i] >= 0 else 0,
            Said(trace, of.begin[i]),
            said(of.end[i]),
            said(of.cut[i]),
            trace.text_of_event(became, s.ARG_PATH),
            of.uuid[i] in self.live,
            of.uuid[i],
            trace.text_of_event(became, s.ARG_REASON),
            said(snapshot) if self._ends_with(i, snapshot) else None,
        )

    def _became(self, i: int) -> int:
        """The event with which it became another program; -1 none."""
        event = self._of.exec[i]
        return event if event > self._of.exec_failed[i] else -1

    def _ends_with(self, i: int, snapshot: int) -> bool:
        """In a snapshot its own event is the last one. A trace that snapshots were taken of
        has such events too."""
        of, trace = self._of, self._trace
        if self._has_rings or snapshot < 0:
            return False
        if of.end[i] >= 0 and s.ARG_BEGAN in Said(trace, of.begin[i]):
            return True
        return bool(trace.events.time_ns[snapshot] >= of.end_ns[i])

    @property
    def uuid(self) -> Column:
        return self._of.uuid

    @property
    def pid(self) -> Column:
        return self._of.pid

    @property
    def start_ns(self) -> Column:
        return self._of.start_ns

    @property
    def end_ns(self) -> Column:
        return self._of.end_ns

    @cached_property
    def span_ns(self) -> tuple[int, int]:
        """From the begin of the first to the end of the last."""
        bounds = self._trace.engine.bounds
        return bounds(self.start_ns)[0], bounds(self.end_ns)[1]

    @property
    def begin(self) -> Column:
        """The event that says how the recording of each began; -1 unknown."""
        return self._of.begin

    @property
    def end(self) -> Column:
        """… how it ended."""
        return self._of.end

    @cached_property
    def replaced(self) -> Set[int]:
        """Those that became another program."""
        if self._trace.engine.bounds(self._of.exec)[1] < 0:
            return frozenset()
        return {
            i for i, event in enumerate(self._of.exec) if event >= 0 and self[i].replaced_by
        }

    @cached_property
    def snapshots(self) -> Sequence[int]:
        """Those of which the trace is a snapshot."""
        events = self._of.snapshot
        if self._trace.engine.bounds(events)[1] < 0:
            return ()
        return [i for i, event in enumerate(events) if self._ends_with(i, event)]

    @cached_property
    def ended_ns(self) -> Mapping[int, int]:
        """By pid when its recording ended, of those that say so."""
        of = self._of
        says_so = map((-1).__ne__, of.end)
        return dict(compress(zip(of.pid, of.end_ns, strict=True), says_so))

    @cached_property
    def recorded(self) -> Column:
        """Those that say how their recording began."""
        starts, begin = self._trace.events.arg_start, self._of.begin
        take = self._trace.engine.take
        has_args = map(gt, take(starts[1:], begin, 0), take(starts, begin, 0))
        return memoryview(array("i", compress(range(len(self)), has_args)))

    @cached_property
    def in_order(self) -> Column:
        """The same, in the order in which they began."""
        return self._trace.engine.ranked(self.recorded, self.start_ns, 0)

    @property
    def first(self) -> int:
        """The one that was recorded first."""
        return int(self.in_order[0])
