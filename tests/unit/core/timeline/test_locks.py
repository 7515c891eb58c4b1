"""Records of locks to slices, by hand: who is said to have had one."""

import struct

import pytest

from tests.support.records import MAIN, OTHER, Script
from tests.support.validator.slices import pair
from tests.support.validator.strict import Arg, read_strict
from tracer import _core
from tracer import schema as s

THIRD = 9
LOCK = 32  # a record with text has the text's length where the lock's number stands
KIND = _core.intern(s.LOCK_WAIT_PREFIX + "Lock", "")[0]
LINE = _core.intern("app.py:5 handler", "")[0]
IS_HELD = 4  # LOCK_IS_HELD: by nobody knows whom
IS_SIGNAL = 2  # LOCK_IS_SIGNAL: nobody holds it
ACQUIRED = 1
CLASS_LOCK = 3


def waits(script: Script, tid: int, ns: int, *, owner: int = 0, flag: int = 0) -> None:
    details = struct.pack("=8I", owner, LINE if owner else 0, 0, tid, 0, 0, 0, 0)
    script.add(ns, "LOCK_WAIT", KIND, flag=flag, tid=tid, text=details)


def blocked(script: Script, tid: int, ns: int) -> None:
    """For 50 µs; the GIL is not watched."""
    script.add(ns, "CALL", KIND, flag=CLASS_LOCK, tid=tid)
    script.add(ns, "TAKE", 0, ns - 50_000, 0, flag=1, tid=tid)


def got(script: Script, tid: int, ns: int) -> None:
    blocked(script, tid, ns)
    script.add(ns + 10, "LOCK_GOT", 0, LOCK, flag=ACQUIRED, tid=tid)
    script.add(ns + 20, "LOCK_ACQUIRED", LINE, LOCK, KIND, tid=tid)


def owners(script: Script) -> list[Arg | None]:
    """Of all lock waits, in order of begin; None: unknown."""
    trace = read_strict(script.data())
    begun: dict[int, int] = {}
    found: list[Arg | None] = []
    for event in sorted(trace.events, key=lambda each: each.time_ns):
        if event.category == s.CAT_LOCK and event.type == s.TYPE_SLICE_BEGIN:
            begun[event.track] = len(found)
            found.append(event.args.get(s.ARG_OWNER))
        elif event.type == s.TYPE_SLICE_END and event.track in begun:
            at = begun.pop(event.track)
            found[at] = event.args.get(s.ARG_OWNER, found[at])
    return found


@pytest.mark.parametrize(
    ("flag", "expected"), [(0, [None, OTHER]), (IS_HELD, [None, None])], ids=["free", "held"]
)
def test_the_next_to_take_it_owned_it_only_if_it_was_free(
    flag: int, expected: list[Arg | None]
) -> None:
    script = Script([])
    waits(script, OTHER, 100_000, flag=flag)
    waits(script, THIRD, 110_000, flag=flag)
    got(script, OTHER, 200_000)
    script.add(260_000, "LOCK_RELEASED", 0, LOCK, THIRD, tid=OTHER)
    got(script, THIRD, 300_000)
    assert owners(script) == expected


def test_who_had_it_stays_the_owner() -> None:
    script = Script([])
    waits(script, OTHER, 100_000, owner=MAIN)
    waits(script, THIRD, 110_000, owner=MAIN)
    got(script, OTHER, 200_000)
    got(script, THIRD, 300_000)
    assert owners(script) == [MAIN, MAIN]


def test_signal_handlers_that_wait_nest_without_limit() -> None:
    """Each wait is interrupted by the next; then they end, the innermost first."""
    depth = 100
    script = Script([])
    for number in range(depth):
        waits(script, OTHER, 100_000 * (number + 1))
        blocked(script, OTHER, 100_000 * (number + 1) + 60_000)
    for number in range(depth, 2 * depth):
        got(script, OTHER, 100_000 * (number + 1) + 60_000)
    slices, _ = pair(read_strict(script.data()))
    told = [each.args for each in slices if each.begin.category == s.CAT_LOCK]
    ended = [(args[s.ARG_LOCK], args[s.ARG_ACQUIRED]) for args in told[depth:]]
    assert ended == [(LOCK, 1)] * depth
    assert [args[s.ARG_LOCK] for args in told] == [LOCK] * 2 * depth


def arrows(script: Script) -> list[tuple[int, int, int]]:
    """Of all releases, in order: whose, when, and when begins what they led to, or -1."""
    trace = read_strict(script.data())
    targets = {flow: event for event in trace.events for flow in event.ends_flows}
    return [
        (
            trace.tracks[event.track].tid,
            event.time_ns,
            targets[event.flows[0]].time_ns if event.flows else -1,
        )
        for event in sorted(trace.events, key=lambda each: each.time_ns)
        if event.name == s.RELEASE
    ]


def watched(script: Script, tid: int) -> None:
    """The thread has the GIL, as its lane shows."""
    script.add(50_000, "TAKE", tid=tid)


def wakes(script: Script, tid: int, ns: int, *, waiter: int = OTHER) -> None:
    script.add(ns, "LOCK_RELEASED", 0, LOCK, waiter, tid=tid)


def runs(script: Script, tid: int, ns: int) -> None:
    """It has waited for 100 µs, and runs."""
    script.add(ns, "CALL", KIND, flag=CLASS_LOCK, tid=tid)
    script.add(ns, "TAKE", 0, ns - 100_000, tid=tid)


def woken(script: Script, tid: int, ns: int) -> None:
    runs(script, tid, ns)
    script.add(ns + 10, "LOCK_GOT", 0, LOCK, flag=ACQUIRED, tid=tid)


def test_a_waker_that_ends_before_the_waiter_runs() -> None:
    """Its release is on its track, and leads to what the waiter does next."""
    script = Script([])
    watched(script, OTHER)
    waits(script, OTHER, 100_000, flag=IS_SIGNAL)
    wakes(script, THIRD, 150_000)
    script.add(160_000, "THREAD_EXIT", tid=THIRD)
    woken(script, OTHER, 210_000)
    assert arrows(script) == [(THIRD, 150_000, 210_000)]


@pytest.mark.parametrize(
    ("first", "expected"),
    [(OTHER, (MAIN, 150_000, 210_000)), (THIRD, (OTHER, 230_000, 240_000))],
    ids=["itself", "another"],
)
def test_a_handler_takes_what_its_own_thread_waits_for(
    first: int, expected: tuple[int, int, int]
) -> None:
    """It uses up the release for all others, but not for its own thread, which waits on."""
    script = Script([])
    watched(script, first)
    token = 0  # any waiter may take a lock
    for tid in (OTHER, THIRD):
        details = struct.pack("=8I", MAIN, LINE, 0, token, 0, 0, 0, 0)
        script.add(100_000, "LOCK_WAIT", KIND, tid=tid, text=details)
    wakes(script, MAIN, 150_000, waiter=token)
    if first == OTHER:
        runs(script, OTHER, 210_000)
    script.add(220_000, "LOCK_ACQUIRED", LINE, LOCK, KIND, tid=OTHER)
    wakes(script, OTHER, 230_000, waiter=token)
    if first == THIRD:
        runs(script, THIRD, 240_000)
    script.add(240_010, "LOCK_GOT", 0, LOCK, flag=ACQUIRED, tid=first)
    script.add(240_020, "LOCK_ACQUIRED", LINE, LOCK, KIND, tid=first)
    found = [(MAIN, 150_000, -1), (OTHER, 230_000, -1)]
    found[first == THIRD] = expected
    assert arrows(script) == found


def test_a_waker_whose_number_another_thread_has_now() -> None:
    """The release stays with the thread that ended."""
    script = Script([])
    watched(script, OTHER)
    waits(script, OTHER, 100_000, flag=IS_SIGNAL)
    wakes(script, THIRD, 150_000)
    script.add(160_000, "THREAD_EXIT", tid=THIRD)
    script.add(170_000, "THREAD_NAME", THIRD, tid=THIRD, text=b"another")
    woken(script, OTHER, 210_000)
    trace = read_strict(script.data())
    names = [trace.tracks[e.track].thread_name for e in trace.events if e.name == s.RELEASE]
    assert names == [f"thread {THIRD}"]


def test_a_release_of_an_ended_thread_that_woke_nobody() -> None:
    """It is written when the last waiter has gone, without an arrow."""
    script = Script([])
    watched(script, OTHER)
    waits(script, OTHER, 100_000, flag=IS_SIGNAL)
    wakes(script, THIRD, 150_000, waiter=THIRD)
    script.add(160_000, "THREAD_EXIT", tid=THIRD)
    woken(script, OTHER, 210_000)
    assert arrows(script) == [(THIRD, 150_000, -1)]


def test_a_waker_that_lost_records_after_its_release() -> None:
    script = Script([])
    watched(script, OTHER)
    waits(script, OTHER, 100_000, flag=IS_SIGNAL)
    wakes(script, THIRD, 150_000)
    script.add(170_000, "GAP", 0, 3, 160_000, tid=THIRD)
    woken(script, OTHER, 210_000)
    assert arrows(script) == [(THIRD, 150_000, 210_000)]


def holds(script: Script) -> list[tuple[int, int | None]]:
    slices, _ = pair(read_strict(script.data()))
    return [(each.start_ns, each.end_ns) for each in slices if each.category == s.CAT_HOLD]


def test_a_lock_that_is_freed_while_somebody_has_it() -> None:
    script = Script([])
    waits(script, OTHER, 100_000, owner=MAIN)
    script.add(160_000, "LOCK_GOT", 0, LOCK, tid=OTHER)  # timed out
    script.add(190_000, "LOCK_FREED", 0, LOCK)
    script.add(250_000, "LOG", text=bytes(11))  # of no operation, without a name or arguments
    assert holds(script) == [(100_000, 190_000)]
