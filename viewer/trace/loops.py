"""The event loops of a trace, and which of them each track is under."""

from array import array
from typing import NamedTuple

from tracer import schema as s
from viewer.trace.columns import Column, records
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
    s.TRACK_TWISTED_PREFIX: Nouns("coroutine", "reactor"),
}


def nouns_of(loops: tuple[Loop, ...]) -> Nouns:
    """The words for a trace; where it has loops of several kinds, those for any of them."""
    kinds = {loop.kind for loop in loops}
    return _NOUNS[kinds.pop()] if len(kinds) == 1 else Nouns()


def find_loops(trace: Trace, threads: Threads) -> tuple[tuple[Loop, ...], Column]:
    """The loops, and by track the loop that it is, or is under (-1 none)."""
    tracks = trace.tracks
    if not tracks.any_begins_with(s.LOOP_PREFIXES):
        return (), memoryview(array("i", [-1]) * len(trace.events.uuids))
    rows = tracks.on(tracks.above(tracks.beginning(s.LOOP_PREFIXES)))
    found = trace.engine.pairs(rows, rows)
    only = _only_threads(threads) if found.head else {}
    called = tracks.names_at(trace.engine.take(rows, found.head, -1))
    usual = s.TRACK_LOOP_PREFIX
    kinds = [usual if name.startswith(usual) else _kind(name) for name in called]
    names = [name[len(kind) :] for name, kind in zip(called, kinds, strict=True)]
    processes = trace.engine.take(trace.track_process, found.head, -1).tolist()
    pids = {process: trace.pid(process) for process in {*processes}}
    keys = zip(map(pids.__getitem__, processes), names, strict=True)
    tids = [only.get(key, 0) for key in keys]
    return tuple(records(Loop, processes, names, tids, kinds)), found.number


def _only_threads(threads: Threads) -> dict[tuple[int, str], int]:
    """By (pid, name) the tid of the one thread of that name; 0 of several."""
    owned = [*zip(threads.pids, threads.names, strict=True)]
    only = dict(zip(owned, threads.tids, strict=True))
    if len(only) < len(owned):
        for key, tid in zip(owned, threads.tids, strict=True):
            if only[key] != tid:
                only[key] = 0
    return only


def _kind(name: str) -> str:
    return next(filter(name.startswith, s.LOOP_PREFIXES))
