"""Columns to their meaning: loops, tasks, collections, and the recorder's own remarks."""

import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from tracer import schema as s
from viewer import owners
from viewer.columns import AWAIT, GC, READY, RUNNING, SELECT, Column, Owners
from viewer.reader import Arg, Trace, Track

_SYMBOLS = {
    owners.TASK: s.CAT_TASK,
    owners.CAT_LIFETIME: s.CAT_LIFETIME,
    owners.CAT_LOOP: s.CAT_LOOP,
    owners.CAT_GC: s.CAT_GC,
    owners.ARG_NAME: s.ARG_NAME,
    owners.ARG_CORO: s.ARG_CORO,
    owners.ARG_SITE: s.ARG_SITE,
    owners.ARG_PARENT: s.ARG_PARENT,
    owners.ARG_WAKER: s.ARG_WAKER,
    owners.ARG_WAKER_TASK: s.ARG_WAKER_TASK,
    owners.ARG_WAKER_THREAD: s.ARG_WAKER_THREAD,
}
_STATES = {s.READY: READY, s.RUNNING: RUNNING, s.SELECT: SELECT}
_NO_STRING = -2  # equal to no string index, and not to -1, "no name"


@dataclass(frozen=True, slots=True)
class Loop:
    """An event loop. `tid` is 0 when no single thread of the process has the loop's name."""

    process: int
    thread_name: str
    tid: int


@dataclass(frozen=True, slots=True)
class Collection:
    """One run of the garbage collector."""

    process: int
    tid: int
    start_ns: int
    end_ns: int
    generation: int
    collected: int
    uncollectable: int


@dataclass(frozen=True, slots=True)
class Remark:
    """An instant of the tracer track."""

    process: int
    time_ns: int
    name: str
    args: dict[str, Arg]


@dataclass(frozen=True, slots=True)
class Model:
    """A trace and who is who in it."""

    trace: Trace
    owners: Owners
    loops: tuple[Loop, ...]
    lane: Column  # i, by slice: index into loops, -1 none
    threads: tuple[Track, ...]
    collections: tuple[Collection, ...]
    remarks: tuple[Remark, ...]

    @property
    def start_ns(self) -> int:
        return min(process.start_ns for process in self.trace.processes)

    @property
    def end_ns(self) -> int:
        return max(process.end_ns for process in self.trace.processes)

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

    def task_name(self, task: int) -> str:
        """The newest name of a task; of one whose first slice is lost, its track's."""
        name = self.owners.task_name[task]
        return self.trace.text(name) if name >= 0 else self.coroutine_of(task)

    def coroutine_of(self, task: int) -> str:
        return self.coroutine(self.owners.task_group[task])[0]


def build_model(trace: Trace) -> Model:
    events, slices = trace.events, trace.slices
    of_text = {text: i for i, text in reversed(list(enumerate(events.strings)))}
    symbols = array("i", (of_text.get(_SYMBOLS[i], _NO_STRING) for i in range(len(_SYMBOLS))))
    owned = trace.engine.assign(
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
        memoryview(symbols),
        memoryview(bytes(map(_state_of, events.strings))),
    )
    threads = tuple(track for track in trace.tracks.values() if track.tid)
    loops, track_lane = _find_loops(trace, threads)
    lane = trace.engine.gather(slices.event, events.track, memoryview(track_lane))
    return Model(
        trace,
        owned,
        loops,
        lane,
        threads,
        tuple(_collections(trace, owned)),
        tuple(_remarks(trace)),
    )


def _state_of(name: str) -> int:
    return AWAIT if name.startswith(s.AWAIT_PREFIX) else _STATES.get(name, 0)


def _find_loops(
    trace: Trace, threads: tuple[Track, ...]
) -> tuple[tuple[Loop, ...], array[int]]:
    """The loops, and by track which one it is under (-1 none)."""
    index: dict[int, int] = {}
    found: list[Loop] = []
    ancestries = [_ancestry(trace, uuid) for uuid in trace.events.uuids]
    for i, tracks in enumerate(ancestries):
        for track in tracks:
            if track.name.startswith(s.TRACK_LOOP_PREFIX) and track.uuid not in index:
                index[track.uuid] = len(found)
                process = trace.track_process[i]
                pid = trace.processes[process].pid if process >= 0 else 0
                name = track.name.removeprefix(s.TRACK_LOOP_PREFIX)
                tids = {t.tid for t in threads if t.pid == pid and t.thread_name == name}
                found.append(Loop(process, name, tids.pop() if len(tids) == 1 else 0))
    lanes = (
        next((index[track.uuid] for track in tracks if track.uuid in index), -1)
        for tracks in ancestries
    )
    return tuple(found), array("i", lanes)


def _ancestry(trace: Trace, uuid: int) -> list[Track]:
    """The described tracks from this one upwards; a circle ends where it closes."""
    found: list[Track] = []
    while uuid in trace.tracks and trace.tracks[uuid] not in found:
        found.append(trace.tracks[uuid])
        uuid = trace.tracks[uuid].parent_uuid
    return found


def _positions(kinds: Column, wanted: int) -> list[int]:
    """Where `wanted` is among the bytes; at the speed of bytes.find."""
    text, needle = bytes(kinds), bytes([wanted])
    found, at = [], text.find(needle)
    while at >= 0:
        found.append(at)
        at = text.find(needle, at + 1)
    return found


def _number(args: dict[str, Arg], name: str) -> int:
    value = args.get(name, 0)
    return value if isinstance(value, int) else 0


def _collections(trace: Trace, owned: Owners) -> list[Collection]:
    """One for each slice of the GC tracks; the same on the threads' tracks is not counted.

    What a collection found is known at its end, so the END may have the arguments.
    """
    events, found = trace.events, []
    ends = {
        (events.track[e], events.time_ns[e]): trace.args(e) for e in _collection_ends(trace)
    }
    for i in _positions(owned.kind, GC):
        event = trace.slices.event[i]
        number = events.track[event]
        track = trace.tracks.get(events.uuids[number])
        if track is None or track.name != s.TRACK_GC:
            continue
        end_ns = trace.slices.end_ns[i]
        args = trace.args(event) | ends.get((number, end_ns), {})
        found.append(
            Collection(
                trace.track_process[number],
                _number(args, s.ARG_TID),
                trace.slices.start_ns[i],
                end_ns,
                _number(args, s.ARG_GENERATION),
                _number(args, s.ARG_COLLECTED),
                _number(args, s.ARG_UNCOLLECTABLE),
            )
        )
    return found


def _collection_ends(trace: Trace) -> Iterator[int]:
    """Events that end a slice and say how much was collected."""
    events = trace.events
    try:
        collected = events.strings.index(s.ARG_COLLECTED)
    except ValueError:
        return
    for argument in _words(events.arg_name, collected):
        event = bisect_right(events.arg_start, argument) - 1
        if events.type[event] == s.TYPE_SLICE_END:
            yield event


def _words(column: Column, wanted: int) -> Iterator[int]:
    """Where `wanted` is in a column of 4-byte integers; at the speed of bytes.find."""
    size = column.itemsize
    text, needle = bytes(column), wanted.to_bytes(size, sys.byteorder)
    at = text.find(needle)
    while at >= 0:
        if at % size == 0:
            yield at // size
        at = text.find(needle, at + 1)


def _remarks(trace: Trace) -> list[Remark]:
    events = trace.events
    try:
        category = events.strings.index(s.CAT_TRACER)
    except ValueError:
        return []
    return [
        Remark(
            trace.track_process[events.track[i]],
            events.time_ns[i],
            trace.text(events.name[i]),
            trace.args(i),
        )
        for i in trace.slices.instants
        if events.category[i] == category
    ]
