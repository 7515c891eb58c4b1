"""The event loops of a trace, and which of them each track is under."""

from collections import defaultdict
from typing import NamedTuple

from tracer import schema as s
from viewer.trace.columns import Column
from viewer.trace.reader import Trace
from viewer.trace.tracks import Track


class Loop(NamedTuple):
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


def find_loops(trace: Trace, threads: tuple[Track, ...]) -> tuple[tuple[Loop, ...], Column]:
    """The loops, and by track the loop that it is, or is under (-1 none)."""
    tracks = trace.tracks
    rows = tracks.on(tracks.above(tracks.called(_is_loop)))
    found = trace.engine.pairs(rows, rows)
    tids: dict[tuple[int, str], set[int]] = defaultdict(set)
    for thread in threads if found.head else ():
        tids[thread.pid, thread.thread_name].add(thread.tid)
    loops: list[Loop] = []
    for number in found.head:
        name, process = tracks.at(rows[number]).name, trace.track_process[number]
        kind = next(kind for kind in s.LOOP_PREFIXES if name.startswith(kind))
        name = name.removeprefix(kind)
        mine = tids[trace.pid(process), name]
        loops.append(Loop(process, name, min(mine) if len(mine) == 1 else 0, kind))
    return tuple(loops), found.number


def _is_loop(name: str) -> bool:
    return name.startswith(s.LOOP_PREFIXES)
