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
    """Of all lock waits, in order of begin; None: not told."""
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
