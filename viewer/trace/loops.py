"""The event loops of a trace, and which of them each track is under."""

from array import array
from collections import defaultdict
from dataclasses import dataclass
from typing import NamedTuple

from tracer import schema as s
from viewer.trace.reader import Trace, Track


@dataclass(frozen=True, slots=True)
class Loop:
    """An event loop. `tid` is 0 unless one thread alone of the process has its name."""

    process: int
    thread_name: str
    tid: int
    kind: str = s.TRACK_LOOP_PREFIX  # … of its track's name, which ends with the thread's


class Nouns(NamedTuple):
    """What a reader calls what a loop runs, and the loop."""

    task: str = "task"
    loop: str = "event loop"


_NOUNS = {
    s.TRACK_LOOP_PREFIX: Nouns(),
    s.TRACK_GREENLETS_PREFIX: Nouns("greenlet", "hub"),
    s.TRACK_TRIO_PREFIX: Nouns("trio task"),
}


def nouns_of(loops: tuple[Loop, ...]) -> Nouns:
    """The words for a trace; where it has loops of several kinds, those for any of them."""
    kinds = {loop.kind for loop in loops}
    return _NOUNS[kinds.pop()] if len(kinds) == 1 else Nouns()


def find_loops(
    trace: Trace, threads: tuple[Track, ...]
) -> tuple[tuple[Loop, ...], array[int]]:
    """The loops, and by track the loop that it is under (-1 none)."""
    tids: dict[tuple[int, str], set[int]] = defaultdict(set)
    for thread in threads:
        tids[thread.pid, thread.thread_name].add(thread.tid)
    index: dict[int, int] = {}
    found: list[Loop] = []
    lanes = array("i")
    over: dict[int, Track | None] = {}  # by uuid of a track with tracks below it
    for i, uuid in enumerate(trace.events.uuids):
        track = trace.tracks.get(uuid)
        above = track.parent_uuid if track else 0
        if above not in over:
            over[above] = _loop_over(trace, above)
        is_loop = track and track.name.startswith(s.LOOP_PREFIXES)
        loop = track if is_loop else over[above]
        if loop is None:
            lanes.append(-1)
            continue
        if loop.uuid not in index:
            index[loop.uuid] = len(found)
            process = trace.track_process[i]
            kind = _loop_kind(loop)
            name = loop.name.removeprefix(kind)
            mine = tids[trace.pid(process), name]
            found.append(Loop(process, name, min(mine) if len(mine) == 1 else 0, kind))
        lanes.append(index[loop.uuid])
    return tuple(found), lanes


def _loop_kind(track: Track) -> str:
    return next((kind for kind in s.LOOP_PREFIXES if track.name.startswith(kind)), "")


def _loop_over(trace: Trace, uuid: int) -> Track | None:
    """The loop that a described track is, or is under; a circle ends where it closes."""
    seen: set[int] = set()
    while uuid in trace.tracks and uuid not in seen:
        if _loop_kind(trace.tracks[uuid]):
            return trace.tracks[uuid]
        seen.add(uuid)
        uuid = trace.tracks[uuid].parent_uuid
    return None
