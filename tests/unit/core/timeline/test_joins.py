"""Waits for the end of a thread, from records by hand: the arrow comes from that thread."""

import struct

from tests.support.records import MAIN, OTHER, Script
from tests.support.validator.slices import pair
from tests.support.validator.strict import read_strict
from tracer import _core
from tracer import schema as s

THIRD = 9
LOCK = 32  # a record with text has the text's length where the lock's number stands
NAME = s.LOCK_WAIT_PREFIX + "Thread.join"
KIND = _core.intern(NAME, "")[0]
IS_END = 2 | 8  # LOCK_IS_SIGNAL, LOCK_IS_END
TOLD_LATE = 1
TIMED_OUT, ACQUIRED = 0, 1
CLASS_LOCK = 3
ATTACHES = 2  # there is no GIL to be had by one at a time

# (thread that ended, when, until when the wait lasted, who is its owner)
type Join = tuple[str, int, int | None, object]


def runs(script: Script, *tids: int) -> None:
    for tid in tids:
        script.add(2_000 + tid, "TAKE", flag=ATTACHES, tid=tid)


def joins(
    script: Script,
    ns: int,
    *,
    owner: int = 0,
    pthread: int = 0,
    tid: int = MAIN,
    late: int = 0,
) -> None:
    """From `ns` on; in `encode` a thread's pthread_t is its tid."""
    details = struct.pack("=4IQ2I", owner, 0, 0, 0, pthread, 0, 0)
    script.add(ns, "LOCK_WAIT", KIND, flag=IS_END | late, tid=tid, text=details)


def ends(script: Script, tid: int, ns: int) -> None:
    """Its Python code; 200 ns later it is gone."""
    script.add(ns, "THREAD_ENDS", tid=tid)
    gone(script, tid, ns + 200)


def gone(script: Script, tid: int, ns: int) -> None:
    script.add(ns, "THREAD_EXIT", 0, ns - 100, tid=tid)


def comes_back(script: Script, since: int, ns: int, *, tid: int = MAIN) -> None:
    script.add(ns, "CALL", KIND, flag=CLASS_LOCK, tid=tid)
    script.add(ns, "TAKE", 0, since, 0, flag=ATTACHES, tid=tid)


def got(script: Script, ns: int, *, flag: int = ACQUIRED, tid: int = MAIN) -> None:
    script.add(ns, "LOCK_GOT", 0, LOCK, flag=flag, tid=tid)


def found(script: Script) -> list[Join]:
    """The arrows into what follows a wait."""
    trace = read_strict(script.data())
    sources = {flow: event for event in trace.events for flow in event.flows}
    ended: dict[tuple[int, int | None], object] = {}
    slices, _ = pair(trace)
    for each in slices:
        if each.name == NAME:
            ended[each.begin.track, each.end_ns] = each.args.get(s.ARG_OWNER)
    rows: list[Join] = []
    for event in sorted(trace.events, key=lambda each: each.time_ns):
        for flow in event.ends_flows:
            source = sources[flow]
            assert source.name == s.RELEASE
            tid = trace.tracks[source.track].tid
            owner = ended[event.track, event.time_ns]
            rows.append((str(tid), source.time_ns, event.time_ns, owner))
    return rows


def test_from_the_thread_that_ended() -> None:
    script = Script([])
    runs(script, MAIN, OTHER)
    joins(script, 3_000, owner=OTHER)
    ends(script, OTHER, 50_000)
    comes_back(script, 3_100, 60_000)
    got(script, 60_010)
    assert found(script) == [(str(OTHER), 50_000, 60_000, OTHER)]


def test_although_it_is_gone_for_long() -> None:
    """Many others have ended since, one with its number."""
    script = Script([])
    runs(script, MAIN, OTHER)
    joins(script, 3_000, owner=OTHER)
    ends(script, OTHER, 50_000)
    for n in range(100):
        script.add(51_000 + n * 10, "TAKE", flag=ATTACHES, tid=OTHER)
        gone(script, OTHER, 51_005 + n * 10)
    comes_back(script, 3_100, 60_000)
    script.add(60_005, "JOINED", 0, OTHER)
    got(script, 60_010)
    assert found(script) == [(str(OTHER), 50_000, 60_000, OTHER)]


def test_told_when_it_is_over() -> None:
    """The thread had ended, but was still there as the wait began: it is the owner anyway."""
    script = Script([])
    runs(script, MAIN, OTHER)
    script.add(2_500, "THREAD_ENDS", tid=OTHER)
    gone(script, OTHER, 50_000)
    comes_back(script, 3_000, 51_000)
    joins(script, 51_100, owner=OTHER, late=TOLD_LATE)
    got(script, 51_200)
    assert found(script) == [("7", 2_500, 51_000, OTHER)]


def test_two_wait_for_one() -> None:
    """The end is nothing that one of them uses up."""
    script = Script([])
    runs(script, MAIN, OTHER, THIRD)
    joins(script, 3_000, owner=OTHER)
    joins(script, 3_500, owner=OTHER, tid=THIRD)
    ends(script, OTHER, 50_000)
    comes_back(script, 3_600, 60_000, tid=THIRD)
    got(script, 60_010, tid=THIRD)
    comes_back(script, 3_100, 70_000)
    got(script, 70_010)
    assert found(script) == [
        (str(OTHER), 50_000, 60_000, OTHER),
        (str(OTHER), 50_000, 70_000, OTHER),
    ]


def test_given_up() -> None:
    """Nobody has ended it, although the thread ends at that moment."""
    script = Script([])
    runs(script, MAIN, OTHER)
    joins(script, 3_000, owner=OTHER)
    script.add(50_000, "THREAD_ENDS", tid=OTHER)
    comes_back(script, 3_100, 60_000)
    got(script, 60_010, flag=TIMED_OUT)
    assert found(script) == []


def test_one_without_threading() -> None:
    """Only its pthread_t is known, which another had before; when it is gone it says so."""
    script = Script([])
    runs(script, MAIN, OTHER)
    ends(script, OTHER, 2_500)
    joins(script, 3_000, pthread=OTHER)
    script.add(4_000, "TAKE", flag=ATTACHES, tid=OTHER)  # the first that is seen of it
    comes_back(script, 3_100, 60_000)
    script.add(60_005, "JOINED", 0, OTHER)
    gone(script, OTHER, 60_007)
    got(script, 60_010)
    assert found(script) == [(str(OTHER), 59_907, 60_000, OTHER)]


def test_one_after_the_other() -> None:
    """The interpreter's end waits for all in one call: each piece has a thread of its own."""
    script = Script([])
    runs(script, MAIN, OTHER, THIRD)
    joins(script, 3_000)
    ends(script, THIRD, 40_000)
    comes_back(script, 3_100, 50_000)
    script.add(50_005, "JOINED", 0, THIRD)
    ends(script, OTHER, 80_000)
    comes_back(script, 50_010, 90_000)
    script.add(90_005, "JOINED", 0, OTHER)
    got(script, 90_010)
    assert found(script) == [
        (str(THIRD), 40_000, 50_000, THIRD),
        (str(OTHER), 80_000, 90_000, OTHER),
    ]
