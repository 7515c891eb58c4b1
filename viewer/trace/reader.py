"""Opens a trace file: its columns and tracks, or one clear line that says why not."""

import math
import struct
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tracer import schema as s
from tracer.errors import TraceFileError
from viewer.trace import files
from viewer.trace.columns import DOUBLE, STRING, UINT, Column, Events, Slices
from viewer.trace.descriptors import command_line
from viewer.trace.engine import BEST, Engine
from viewer.trace.files import Contents, Given
from viewer.trace.processes import Arg, Processes
from viewer.trace.shown import shown_name, shown_texts
from viewer.trace.tracks import Tracks, find_processes, read_tracks

_NO_EVENTS: Column = memoryview(array("i"))


class Trace(NamedTuple):
    """All files of a trace. Columns by track are indexed like `events.uuids`."""

    path: Path  # the first that the user named
    size_bytes: int
    lost_bytes: int
    events: Events
    slices: Slices
    tracks: Tracks
    track_process: Column  # i: index into processes, -1 unknown
    engine: Engine
    event_names: Column  # i: the strings that are an event's name, each once
    await_names: tuple[int, ...]  # those that say what a task awaits
    given: tuple[Path, ...] = ()  # what the user named
    unread: tuple[str, ...] = ()  # which files of a folder could not be read, and why
    cmdline: tuple[str, ...] = ()  # of the process that was recorded first
    processes: Processes = None  # type: ignore[assignment]  # which asks the others of it

    @property
    def live(self) -> bool:
        """Whether a process of it was being recorded when it was read."""
        return bool(self.processes.live)

    def pid(self, process: int) -> int:
        """0: unknown."""
        return self.processes.pid[process] if process >= 0 else 0

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
    files.check_clocks(events.clock_real_ns, events.clock_boot_ns, paths)
    tracks = read_tracks(data, events, engine)
    track_process, uuids, pids = find_processes(tracks, engine)
    slices = engine.pair(events.time_ns, events.type, events.track, track_process, len(pids))
    names = engine.distinct(events.name, len(events.strings))
    lost = contents.lost_bytes + len(data) - events.framed_bytes + events.skipped_bytes
    trace = Trace(
        paths[0], contents.size_bytes, lost, events, slices, tracks, track_process,
        engine, names, _awaits(events, names, engine), paths, contents.unread,
    )  # fmt: skip
    live = {uuid for head in contents.heads for uuid in _described(head, engine)}
    processes = Processes.read(trace, uuids, pids, live, contents.has_rings)
    _check_version(trace, processes.begin)
    body = tracks.body_of(processes.uuid[processes.first])
    at = events.descriptor_at[body] if body >= 0 else 0
    size = events.descriptor_bytes[body] if body >= 0 else 0
    words = command_line(bytes(data[at : at + size]))
    return trace._replace(processes=processes, cmdline=tuple(map(shown_name, words)))


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
    if len(begun) <= len(trace.processes.recorded):  # each once, as nearly always
        return frozenset()
    for event in begun:
        process = trace.track_process[events.track[event]]
        times[trace.processes.uuid[process], events.time_ns[event]] += 1
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
