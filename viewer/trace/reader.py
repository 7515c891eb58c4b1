"""Opens a trace file: its columns and tracks, or one clear line that says why not."""

import math
import struct
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

from tracer import schema as s
from tracer.errors import TraceFileError
from viewer.trace import files
from viewer.trace.columns import DOUBLE, STRING, UINT, Column, Events, Slices, Spans, records
from viewer.trace.engine import BEST, Engine
from viewer.trace.files import Contents, Given
from viewer.trace.shown import shown_texts
from viewer.trace.tracks import Tracks, find_processes, read_tracks

# Instants in which a process says of its recording how it began, and how it ended.
_OF_RECORDING = (
    *(s.RECORDING, s.RECORDING_ENDED, s.RECORDING_CUT),
    *(s.EXEC, s.EXEC_FAILED, s.SNAPSHOT),
)

_NO_EVENTS: Column = memoryview(array("i"))

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
    recording_cut: dict[str, Arg] | None = None
    replaced_by: str = ""
    live: bool = False  # it was being recorded when it was read
    uuid: int = 0  # of its track
    replaced_why: str = ""
    snapshot: dict[str, Arg] | None = None


class Trace(NamedTuple):
    """All files of a trace. Columns by track are indexed like `events.uuids`."""

    path: Path  # the first that the user named
    size_bytes: int
    lost_bytes: int
    events: Events
    slices: Slices
    tracks: Tracks
    track_process: Column  # i: index into processes, -1 unknown
    processes: tuple[Process, ...]
    engine: Engine
    event_names: Column  # i: the strings that are an event's name, each once
    await_names: tuple[int, ...]  # those that say what a task awaits
    given: tuple[Path, ...] = ()  # what the user named
    unread: tuple[str, ...] = ()  # which files of a folder could not be read, and why
    # By process the event that says how its recording began, and how it ended; -1 unknown.
    begins: Column = _NO_EVENTS  # i
    ends: Column = _NO_EVENTS  # i
    recorded: tuple[int, ...] = ()  # the processes that say how theirs began

    @property
    def live(self) -> bool:
        """Whether a process of it was being recorded when it was read."""
        return any(process.live for process in self.processes)

    def pid(self, process: int) -> int:
        """0: unknown."""
        return self.processes[process].pid if process >= 0 else 0

    @property
    def name(self) -> str:
        """The name of the file or folder, and how many more the user named."""
        more = f" and {len(self.given) - 1} more" if len(self.given) > 1 else ""
        return (self.path.name or self.path.resolve().name) + more

    @property
    def names(self) -> str:
        """What the user named, without folders: what a command takes, in the right folder."""
        return " ".join(path.name or path.resolve().name for path in self.given)

    def args(self, event: int) -> dict[str, Arg]:
        """The arguments of an event with a number or a text."""
        return next(self.args_of((event,)))

    def args_of(self, events: Iterable[int]) -> Iterator[dict[str, Arg]]:
        """The arguments of each event."""
        e = self.events
        strings, names, kinds, values = e.strings, e.arg_name, e.arg_kind, e.arg_value
        starts = e.arg_start
        for event in events:
            found: dict[str, Arg] = {}
            for a in range(starts[event], starts[event + 1]):
                value, kind = values[a], kinds[a]
                name = strings[names[a]]
                if kind == STRING:
                    found[name] = strings[value]
                elif kind == UINT and value < 0:
                    found[name] = value & 0xFFFF_FFFF_FFFF_FFFF
                else:
                    found[name] = double(value) if kind == DOUBLE else value
            yield found

    def text_of_slice(self, i: int, name: str) -> str:
        """A text that a slice's begin has as an argument, else its end; "" without."""
        symbol = self.symbol(name)
        if symbol < 0:
            return ""
        return self._text(self.slices.event[i], symbol) or self._text(
            self.slices.end_event[i], symbol
        )

    def text_of_event(self, event: int, name: str) -> str:
        """A text that an event has as an argument; "" without."""
        symbol = self.symbol(name)
        return self._text(event, symbol) if symbol >= 0 else ""

    def _text(self, event: int, symbol: int) -> str:
        e, names = self.events, self.events.arg_name
        if event >= 0:
            for a in range(e.arg_start[event], e.arg_start[event + 1]):
                if names[a] == symbol and e.arg_kind[a] == STRING:
                    return e.strings[e.arg_value[a]]
        return ""

    def instants(self, column: Column, *texts: str) -> Column:
        """Instants with one of the texts in a column of names, in order of time."""
        wanted = self.mark(*texts)
        none = 1 not in bytes(wanted)
        return _NO_EVENTS if none else self.engine.pick(self.slices.instants, column, wanted)

    def mark(self, *texts: str) -> Column:
        """By string 1 if it is one of these texts, else 0."""
        mark = bytearray(len(self.events.strings))
        for text in texts:
            if (symbol := self.symbol(text)) >= 0:
                mark[symbol] = 1
        return memoryview(mark)

    def symbol(self, text: str) -> int:
        """The string of a name, category or name of an argument; -1 if no text is this."""
        return self.events.strings.find(text)

    def named(self, kinds: Mapping[str, int], others: Mapping[int, int]) -> Column:
        """By string its kind, a small number, 0 for most: of some names of events by text, of
        `others` by string."""
        found = bytearray(len(self.events.strings))
        for text, kind in kinds.items():
            if (symbol := self.symbol(text)) >= 0:
                found[symbol] = kind
        for name, kind in others.items():
            found[name] = kind
        return memoryview(found)

    def begin_with(self, prefix: str) -> list[int]:
        """The names of events that begin so."""
        found: list[int] = self.engine.beginning(
            self.events.strings, self.event_names, prefix
        ).tolist()
        return found

    @property
    def stacks(self) -> Iterator[str]:
        """The texts that may be stacks: all, where any event has one."""
        return iter(self.events.strings if self.symbol(s.ARG_STACK) >= 0 else ())

    def awaiting(self, is_wanted: Callable[[str], bool]) -> Column | None:
        """By slice 1 if its name says that a task awaits such a thing, else 0; None if no name
        does. `is_wanted` gets the name with `await` before it."""
        strings = self.events.strings
        wanted = [name for name in self.await_names if is_wanted(strings[name])]
        if not wanted:
            return None
        mark = memoryview(array("i", bytes(4 * len(strings))))
        for name in wanted:
            mark[name] = 1
        return self.engine.gather(self.slices.event, self.events.name, mark)

    def text(self, string: int) -> str:
        return self.events.strings[string] if string >= 0 else ""


def double(bits: int) -> float | str:
    """The number, or its text where JSON cannot hold it."""
    (number,) = struct.unpack("<d", bits.to_bytes(8, "little", signed=True))
    return number if math.isfinite(number) else str(number)


def read_trace(given: Given, engine: Engine = BEST) -> Trace:
    """The trace in the files, as far as it is readable. Raises TraceFileError."""
    trace = _parse(given, files.load(given, engine), engine)
    twice = _read_twice(trace, given, engine)
    if twice:
        trace = _parse(given, files.load(given, engine, twice), engine)
    return trace


def begins_as_trace(given: Given) -> bool:
    """Whether the file's first bytes already show that tracer made it and can read it.

    False proves nothing: only reading the file tells.
    """
    try:
        path = next(iter(files.files_of(given)))
        with path.open("rb") as file:
            data = file.read(files.HEAD_BYTES)
        _parse(path, Contents(data, len(data), 0), BEST)
    except (OSError, TraceFileError):
        return False
    return True


def _parse(given: Given, contents: Contents, engine: Engine) -> Trace:
    paths, data = files.paths_of(given), contents.data
    events = engine.decode(data)
    if not events.packets or paths[0].suffix == files.PROFILE:
        raise TraceFileError(files.refusal(paths[0], data))
    if not events.is_plain:
        shown = shown_texts([*events.strings])
        events = events._replace(strings=engine.strings(shown))
    files.check_clocks(events.snapshots, paths)
    tracks = read_tracks(data, events, engine)
    track_process, processes = find_processes(tracks, engine)
    slices = engine.pair(
        events.time_ns, events.type, events.track, track_process, len(processes)
    )
    names = engine.distinct(events.name, len(events.strings))
    lost = contents.lost_bytes + len(data) - events.framed_bytes + events.skipped_bytes
    trace = Trace(
        paths[0], contents.size_bytes, lost, events, slices, tracks, track_process, (),
        engine, names, _awaits(events, names, engine), paths, contents.unread,
    )  # fmt: skip
    live = {uuid for head in contents.heads for uuid in _described(head, engine)}
    return _with_processes(trace, processes, live, contents.has_rings)


def _awaits(events: Events, names: Column, engine: Engine) -> tuple[int, ...]:
    return tuple(engine.beginning(events.strings, names, s.AWAIT_PREFIX))


def _described(data: bytes, engine: Engine) -> list[int]:
    """The tracks of processes that these packets describe."""
    tracks = read_tracks(data, engine.decode(data), engine)
    return [tracks.at(row).uuid for row in tracks.of_processes]


def _read_twice(trace: Trace, given: Given, engine: Engine) -> frozenset[Path]:
    """Files whose processes are read elsewhere too: from FILE, which FILE.d is just joined
    into, or because the user named something twice."""
    events, times = trace.events, Counter[tuple[int, int]]()
    begun = trace.instants(events.name, s.RECORDING)
    if len(begun) <= len(trace.recorded):  # each once, as nearly always
        return frozenset()
    for event in begun:
        process = trace.track_process[events.track[event]]
        times[trace.processes[process].uuid, events.time_ns[event]] += 1
    left = Counter({uuid: count for (uuid, _), count in times.items() if count > 1})
    if not left:
        return frozenset()
    inside = {path: _described(files.head(path), engine) for path in files.files_of(given)}
    twice = set()
    for path, uuids in reversed(inside.items()):
        if uuids and all(left[uuid] > 1 for uuid in uuids):
            twice.add(path)
            left.subtract(uuids)
    return frozenset(twice)


def _with_processes(
    trace: Trace, processes: list[tuple[int, int]], live: set[int], has_rings: bool
) -> Trace:
    """With what each process says of its recording. Raises TraceFileError when none does."""
    events, engine, count = trace.events, trace.engine, len(processes)
    of_tracer = engine.pick(
        trace.instants(events.name, *_OF_RECORDING), events.category, trace.mark(s.CAT_TRACER)
    )

    def by_process(named: Column) -> Spans:
        nothing = memoryview(bytes(8 * len(named))).cast("q")
        return engine.spans(
            nothing, engine.gather(named, events.track, trace.track_process), count
        )

    def newest(name: str) -> Column:
        """By process its last event of that name; -1 none."""
        named = engine.pick(of_tracer, events.name, trace.mark(name))
        return engine.take(named, by_process(named).last, -1)

    begins, ends, cuts, snapshots = map(
        newest, (s.RECORDING, s.RECORDING_ENDED, s.RECORDING_CUT, s.SNAPSHOT)
    )
    execs = [
        event if event > failed else -1
        for event, failed in zip(newest(s.EXEC), newest(s.EXEC_FAILED), strict=True)
    ]
    _check_version(trace, begins)

    def said(event: int) -> dict[str, Arg] | None:
        return trace.args(event) if event >= 0 else None

    def ends_there(i: int) -> bool:
        """In a snapshot its own event is the last one. A trace that snapshots were taken of
        has such events too."""
        if has_rings or snapshots[i] < 0:
            return False
        if ends[i] >= 0 and s.ARG_BEGAN in Said(trace, begins[i]):
            return True
        return events.time_ns[snapshots[i]] >= trace.slices.process_end_ns[i + 1]

    firsts = engine.take(of_tracer, by_process(of_tracer).first, -1)
    starts = engine.take(events.time_ns, firsts, 0)
    # The clocks of one machine agree, so one snapshot serves for all processes.
    offset = next((real - mono for _, mono, real, _ in events.snapshots if real), 0)
    found = records(
        Process,
        [pid for _, pid in processes],
        starts,
        trace.slices.process_end_ns[1:],
        (
            start + offset if offset and first >= 0 else 0
            for start, first in zip(starts, firsts, strict=True)
        ),
        map(Said, repeat(trace), begins),
        (Said(trace, event) if event >= 0 else None for event in ends),
        map(said, cuts),
        (trace.text_of_event(event, s.ARG_PATH) for event in execs),
        (uuid in live for uuid, _ in processes),
        [uuid for uuid, _ in processes],
        (trace.text_of_event(event, s.ARG_REASON) for event in execs),
        (said(event) if ends_there(i) else None for i, event in enumerate(snapshots)),
    )
    recorded = tuple(i for i, process in enumerate(found) if process.recording)
    return trace._replace(processes=tuple(found), recorded=recorded, begins=begins, ends=ends)


def _check_version(trace: Trace, begins: Column) -> None:
    """Raises TraceFileError where no process, or a newer tracer, has recorded."""
    e, nowhere = trace.events, memoryview(array("i", [-1]) * len(begins))
    columns = e.arg_start, e.arg_name, e.arg_kind
    at = trace.engine.find_numbers(begins, nowhere, *columns, trace.symbol(s.ARG_SCHEMA))
    versions: set[Arg] = {e.arg_value[a] for a in {*at} if a >= 0}
    others = [event for event, a in zip(begins, at, strict=True) if event >= 0 > a]
    versions |= {args[s.ARG_SCHEMA] for args in trace.args_of(others) if s.ARG_SCHEMA in args}
    if not versions:
        raise TraceFileError(
            f"cannot read '{trace.path}': a Perfetto trace, but not made by tracer "
            f"(no '{s.RECORDING}' event). {files.RECORD_ONE}"
        )
    for version in versions:
        if not isinstance(version, int) or version > s.VERSION:
            raise TraceFileError(
                f"cannot read '{trace.path}': its version is {version}, this tracer reads "
                f"up to version {s.VERSION}. Update tracer."
            )
