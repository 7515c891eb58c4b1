"""Threads that have recorded nothing: what others tell of them."""

from tests.support.records import MAIN, OTHER, Script
from tests.support.validator.strict import Strict, read_strict
from tracer import schema as s

SILENT = 8  # until it ends


def told() -> Script:
    """The main thread says where two others are; one of them does something later."""
    script = Script([])
    script.add(1_000, "TAKE")
    for tid in (OTHER, SILENT):
        script.add(2_000, "STACK", 0, tid)
    script.add(3_000, "TAKE", tid=OTHER)
    script.add(9_000, "TAKE", 0, 8_000, 8_500, tid=OTHER)
    return script


def of_threads(trace: Strict) -> dict[int, list[tuple[object, int]]]:
    """By thread the names and times of the events on its track."""
    found: dict[int, list[tuple[object, int]]] = {}
    for event in trace.events:
        if tid := trace.tracks[event.track].tid:
            found.setdefault(tid, []).append((event.name, event.time_ns))
    return found


def test_where_it_was_is_on_its_track() -> None:
    found = of_threads(read_strict(told().data()))
    assert found[SILENT] == [(s.THREAD_STACK, 2_000)]


def test_what_it_does_later_is_on_the_same_track() -> None:
    trace = read_strict(told().data())
    tids = [track.tid for track in trace.tracks.values() if track.tid]
    assert sorted(tids) == [MAIN, OTHER, SILENT]
    found = of_threads(trace)[OTHER]
    assert found[0] == (s.THREAD_STACK, 2_000)
    assert len(found) > 1
