"""The event loops of a trace, and which of them each track is under."""

from operator import methodcaller
from typing import NamedTuple

from tracer import schema as s
from viewer.trace.columns import Column
from viewer.trace.reader import Trace
from viewer.trace.tracks import Threads


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


def find_loops(trace: Trace, threads: Threads) -> tuple[tuple[Loop, ...], Column]:
    """The loops, and by track the loop that it is, or is under (-1 none)."""
    tracks = trace.tracks
    rows = tracks.on(tracks.above(tracks.called(methodcaller("startswith", s.LOOP_PREFIXES))))
    found = trace.engine.pairs(rows, rows)
    only = dict[tuple[int, str], int]()  # the one thread of a name; 0 of several
    owned = zip(threads.pids, threads.names, strict=True)
    for key, tid in zip(owned, threads.tids, strict=True) if found.head else ():
        only[key] = tid if only.get(key, tid) == tid else 0
    loops: list[Loop] = []
    for number in found.head:
        name, process = tracks.name_at(rows[number]), trace.track_process[number]
        kind = next(filter(name.startswith, s.LOOP_PREFIXES))
        name = name.removeprefix(kind)
        loops.append(Loop(process, name, only.get((trace.pid(process), name), 0), kind))
    return tuple(loops), found.number
