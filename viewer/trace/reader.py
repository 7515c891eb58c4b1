"""Opens a trace file: its columns and tracks, or one clear line that says why not."""

import math
import struct
import zlib
from array import array
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from tracer import schema as s
from tracer.errors import TraceFileError
from viewer.trace.columns import DOUBLE, STRING, UINT, Column, Events, Slices
from viewer.trace.engine import BEST, Engine
from viewer.trace.locks import is_locked
from viewer.trace.shown import shown_name, shown_texts

_GZIP_MAGIC = b"\x1f\x8b"
_RECORD_ONE = "Record one with 'tracer run prog.py'."
_HEAD_BYTES = 1 << 16
_PROFILE = ".pprof"
# Instants in which a process says of its recording how it began, and how it ended.
_OF_RECORDING = (s.RECORDING, s.RECORDING_ENDED, s.RECORDING_CUT, s.EXEC, s.EXEC_FAILED)

type Arg = int | float | str


class Track(NamedTuple):
    """The newest TrackDescriptor of a uuid. Numbers are 0 and texts "" when not given."""

    uuid: int
    name: str = ""
    parent_uuid: int = 0
    pid: int = 0
    tid: int = 0
    thread_name: str = ""
    cmdline: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Process:
    """One recorded process.

    `recording_ended` is None when the trace does not say how it ended. `recording_cut` is what
    it says of a file that could not be written on; `replaced_by` the program that took the
    process over (exec), "" if none did.
    """

    pid: int
    start_ns: int
    end_ns: int
    start_unix_ns: int
    recording: dict[str, Arg]
    recording_ended: dict[str, Arg] | None
    recording_cut: dict[str, Arg] | None = None
    replaced_by: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """A whole file. Columns by track are indexed like `events.uuids`."""

    path: Path
    size_bytes: int
    lost_bytes: int
    events: Events
    slices: Slices
    tracks: dict[int, Track]  # by uuid, including those without events
    track_process: Column  # i: index into processes, -1 unknown
    processes: tuple[Process, ...]
    engine: Engine
    live: bool = False  # it was being recorded when it was read

    def args(self, event: int) -> dict[str, Arg]:
        """The arguments of an event with a number or a text."""
        found: dict[str, Arg] = {}
        e = self.events
        for a in range(e.arg_start[event], e.arg_start[event + 1]):
            value, kind = e.arg_value[a], e.arg_kind[a]
            name = self.text(e.arg_name[a])
            if kind == UINT:
                value &= 0xFFFF_FFFF_FFFF_FFFF
            if kind == DOUBLE:
                found[name] = double(value)
            else:
                found[name] = self.text(value) if kind == STRING else value
        return found

    def text_of_slice(self, i: int, name: str) -> str:
        """A text that a slice's begin has as an argument, else its end; "" without."""
        for event in (self.slices.event[i], self.slices.end_event[i]):
            found = self.args(event).get(name) if event >= 0 else None
            if isinstance(found, str):
                return found
        return ""

    def instants(self, column: Column, *texts: str) -> Column:
        """Instants with one of the texts in a column of names, in order of time."""
        wanted = bytes(map(frozenset(texts).__contains__, self.events.strings))
        return self.engine.pick(self.slices.instants, column, memoryview(wanted))

    def text(self, string: int) -> str:
        return self.events.strings[string] if string >= 0 else ""


def double(bits: int) -> float | str:
    """The number, or its text where JSON cannot hold it."""
    (number,) = struct.unpack("<d", bits.to_bytes(8, "little", signed=True))
    return number if math.isfinite(number) else str(number)


def read_trace(path: Path, engine: Engine = BEST) -> Trace:
    """The trace in the file, as far as it is readable. Raises TraceFileError."""
    data, lost, live = _load(path)
    return replace(_parse(path, data, lost, engine), live=live)


def begins_as_trace(path: Path) -> bool:
    """Whether the file's first bytes already show that tracer made it and can read it.

    False proves nothing: only reading the file tells.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_HEAD_BYTES)
        _parse(path, data, 0, BEST)
    except (OSError, TraceFileError):
        return False
    return True


def _parse(path: Path, data: bytes, lost: int, engine: Engine) -> Trace:
    if path.suffix == _PROFILE:
        raise TraceFileError(
            f"cannot read '{path}': a profile, not a trace. "
            f"Print it with 'tracer pprof {path} --top'."
        )
    if not data:
        raise TraceFileError(f"cannot read '{path}': the file is empty. {_RECORD_ONE}")
    events = engine.decode(data)
    if not events.packets:
        raise TraceFileError(
            f"cannot read '{path}': not a trace (begins {data[:4].hex(' ')}). {_RECORD_ONE}"
        )
    events = replace(events, strings=shown_texts(events.strings))
    by_uuid = _read_descriptors(events, engine)
    roots, pids = _find_processes(events, by_uuid)
    track_process = memoryview(array("i", roots))
    slices = engine.pair(events.time_ns, events.type, events.track, track_process, len(pids))
    lost += len(data) - events.framed_bytes + events.skipped_bytes
    trace = Trace(
        path, len(data), lost, events, slices, by_uuid, track_process, (), engine
    )  # fmt: skip
    return replace(trace, processes=_read_processes(trace, pids))


def _load(path: Path) -> tuple[bytes, int, bool]:
    """The file's bytes, unpacked; how many packed ones were unreadable; whether it is live."""
    try:
        with path.open("rb") as file:
            live = is_locked(file.fileno())  # asked first: then the end may be missing
            data = file.read()
    except FileNotFoundError:
        reason = "no such file"
    except IsADirectoryError:
        reason = "it is a directory"
    except PermissionError:
        reason = "permission denied"
    except OSError as error:
        reason = error.strerror or str(error)
    else:
        return (*(_unpack(data) if data.startswith(_GZIP_MAGIC) else (data, 0)), live)
    raise TraceFileError(f"cannot read '{path}': {reason}.")


def _unpack(data: bytes) -> tuple[bytes, int]:
    """All complete gzip members, and the readable beginning of a cut or damaged one."""
    parts = []
    while data.startswith(_GZIP_MAGIC):
        member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        try:
            # In steps: after an error, the results of earlier steps are kept.
            for at in range(0, len(data), 1 << 16):
                parts.append(member.decompress(data[at : at + (1 << 16)]))
                if member.eof:
                    data = member.unused_data + data[at + (1 << 16) :]
                    break
            else:
                return b"".join(parts), 0
        except zlib.error:
            return b"".join(parts), len(data) - at
    return b"".join(parts), len(data)


def _read_descriptors(events: Events, engine: Engine) -> dict[int, Track]:
    """By uuid, the track as last described."""
    known: dict[int, Track] = {}
    for _, body in sorted(events.descriptors):
        said = engine.describe(body)
        if said is not None:
            uuid, name, parent_uuid, pid, tid, thread_name, words = said
            shown = tuple(map(shown_name, words))
            known[uuid] = Track(
                uuid, shown_name(name), parent_uuid, pid, tid, shown_name(thread_name), shown
            )
    return known


def _find_processes(events: Events, known: dict[int, Track]) -> tuple[list[int], list[int]]:
    """By track, the index of its process (-1 unknown); by process, its pid."""
    # A process is identified by its track, not by its pid: two containers may share a pid.
    by_pid = {track.pid: uuid for uuid, track in known.items() if track.pid and not track.tid}
    processes: dict[int, int] = {}
    pids: list[int] = []
    roots: list[int] = []
    above: dict[int, Track] = {}  # by uuid of a track with tracks below it, the outermost
    for uuid in events.uuids:
        track = known.get(uuid) or Track(uuid)
        if track.parent_uuid in known:
            if track.parent_uuid not in above:
                above[track.parent_uuid] = _outermost(known[track.parent_uuid], known)
            track = above[track.parent_uuid]
        if not track.pid:
            roots.append(-1)
            continue
        process = track.uuid if not track.tid else by_pid.get(track.pid, track.pid)
        roots.append(processes.setdefault(process, len(processes)))
        if len(pids) < len(processes):
            pids.append(track.pid)
    return roots, pids


def _outermost(track: Track, known: dict[int, Track]) -> Track:
    """The topmost of the tracks above; a circle ends where it closes."""
    seen = {track.uuid}
    while track.parent_uuid in known and track.parent_uuid not in seen:
        track = known[track.parent_uuid]
        seen.add(track.uuid)
    return track


def _read_processes(trace: Trace, pids: list[int]) -> tuple[Process, ...]:
    """What each process says about its recording. Raises TraceFileError when none does."""
    events, slices = trace.events, trace.slices
    found: dict[int, dict[str, dict[str, Arg]]] = {i: {} for i in range(len(pids))}
    starts: dict[int, int] = {}
    for event in trace.instants(events.category, s.CAT_TRACER):
        name = trace.text(events.name[event])
        process = trace.track_process[events.track[event]]
        if name in _OF_RECORDING and process >= 0:
            found[process][name] = trace.args(event)
            starts.setdefault(process, events.time_ns[event])
            if name == s.EXEC_FAILED:
                found[process].pop(s.EXEC, None)
    versions = [
        said[s.RECORDING][s.ARG_SCHEMA]
        for said in found.values()
        if s.ARG_SCHEMA in said.get(s.RECORDING, {})
    ]
    if not versions:
        raise TraceFileError(
            f"cannot read '{trace.path}': a Perfetto trace, but not made by tracer "
            f"(no '{s.RECORDING}' event). {_RECORD_ONE}"
        )
    for version in versions:
        if not isinstance(version, int) or version > s.VERSION:
            raise TraceFileError(
                f"cannot read '{trace.path}': its version is {version}, this tracer reads "
                f"up to version {s.VERSION}. Update tracer."
            )
    # The clocks of one machine agree, so one snapshot serves for all processes.
    offset = next((real - mono for _, mono, real, _ in trace.events.snapshots if real), 0)
    return tuple(
        Process(
            pids[i],
            starts.get(i, 0),
            slices.process_end_ns[i + 1],
            starts[i] + offset if i in starts and offset else 0,
            found[i].get(s.RECORDING, {}),
            found[i].get(s.RECORDING_ENDED),
            found[i].get(s.RECORDING_CUT),
            str(found[i].get(s.EXEC, {}).get(s.ARG_PATH, "")),
        )
        for i in range(len(pids))
    )
