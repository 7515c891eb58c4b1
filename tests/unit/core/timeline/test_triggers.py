"""Triggers, by hand: what fires, when, and how often."""

import re
import struct

import pytest

from tests.support.looks import AWAITS, MS, S, a_step, look
from tests.support.records import FUNC, LINE, MAIN, OTHER, SLEEP, Script, a_task
from tracer import _core
from tracer import schema as s
from tracer.flight_recorder.triggers import parse

NEVER = 2**64 - 1
REGION = _core.intern("load page", "")[0]
LOCK_WAIT = _core.intern(s.LOCK_WAIT_PREFIX + "Lock", "")[0]
QUEUE_WAIT = _core.intern(s.LOCK_WAIT_PREFIX + "Queue.get", "")[0]
ACQUIRED, CLASS_LOCK, IS_SIGNAL, TAKE_UNWATCHED = 1, 3, 2, 1


def test_a_loop_that_is_blocked_now() -> None:
    """It fires while the step goes on, once, and not again when it ends."""
    script = Script([])
    a_task(script)
    a_step(script, 100, 400)
    assert look(script, "loop>100ms", at_ms=(150, 199, 200, 250, 450, 20_000)) == [
        (200, "loop>100ms (handler, 100.0 ms so far)", 100, 0, 0)
    ]


@pytest.mark.parametrize(
    ("conditions", "at_ms", "due_ms"),
    [
        (("loop>100ms",), 150, 200),  # the step may block it for as long by then
        (("loop>250ms", "loop>100ms"), 150, 200),  # … which is the first of two
        (("loop>3s",), 150, None),  # it looks again before that anyway
        (("lock>50ms",), 150, None),  # nothing that is open waits for a lock
        (("loop>100ms",), 450, None),  # the step is over
    ],
)
def test_when_to_look_again(
    conditions: tuple[str, ...], at_ms: int, due_ms: int | None
) -> None:
    """The writer, which comes less often where little happens, is there in time."""
    script = Script([])
    a_task(script)
    a_step(script, 100, 400)
    look(script, *conditions, at_ms=(at_ms,))
    assert _core.look_due() == (NEVER if due_ms is None else due_ms * MS)


def test_a_step_between_two_looks() -> None:
    """It is over by then; its length is known."""
    script = Script([])
    a_task(script)
    a_step(script, 100, 400)
    assert look(script, "loop>100ms", at_ms=(99, 401)) == [
        (401, "loop>100ms (handler, 300.0 ms)", 100, 400, 0)
    ]


def test_a_step_that_is_short_enough() -> None:
    script = Script([])
    a_task(script)
    a_step(script, 100, 199)
    script.add(300 * MS, "POLL_BEGIN", 1)  # waiting for events is no work
    assert look(script, "loop>100ms", at_ms=(150, 250, 900)) == []


def test_an_await() -> None:
    script = Script([])
    a_task(script)
    a_step(script, 10, 20)
    assert look(script, "task>5s", at_ms=(5_019, 5_020)) == [
        (
            5_020,
            "task>5s (Task-1: await sleep, 5000.0 ms so far, at app.py:5 handler)",
            20,
            0,
            0,
        )
    ]


def test_a_region() -> None:
    """By its whole name."""
    script = Script([])
    script.add(10 * MS, "REGION_BEGIN", REGION, 0, 1)
    assert look(script, "region load>100ms", at_ms=(200,)) == []
    assert look(script, "region load page>100ms", at_ms=(200,)) == [
        (200, "region load page>100ms (load page, 190.0 ms so far)", 10, 0, 0)
    ]


def test_a_region_of_a_task() -> None:
    """It says whose it is, and while that waits, at which line."""
    script = Script([])
    a_task(script)
    script.add(5 * MS, "STEP_BEGIN", 1)
    script.add(10 * MS, "REGION_BEGIN", REGION, 0, 1)
    script.add(20 * MS, "STEP_AWAIT", 1, SLEEP << 32 | LINE)
    ((_, said, *_),) = look(script, "region load page>100ms", at_ms=(200,))
    assert said == f"region load page>100ms (Task-1: load page, 190.0 ms so far, at {AWAITS})"


@pytest.mark.parametrize(("what", "flag", "fires"), [(LOCK_WAIT, 0, 1), (QUEUE_WAIT, 2, 0)])
def test_a_lock(what: int, flag: int, fires: int) -> None:
    """A wait for a lock that somebody holds, not one for work."""
    script = Script([])
    details = struct.pack("=8I", 0 if flag else OTHER, 0, 0, MAIN, 0, 0, 0, 0)
    script.add(100 * MS, "LOCK_WAIT", what, flag=flag, text=details)
    script.add(300 * MS, "CALL", what, flag=CLASS_LOCK)
    script.add(300 * MS, "TAKE", 0, 100 * MS, 0, flag=TAKE_UNWATCHED)
    script.add(301 * MS, "LOCK_GOT", 0, 32, flag=ACQUIRED)
    script.add(302 * MS, "CALL", what)
    script.add(303 * MS, "TAKE", 0, 302 * MS, 0, flag=TAKE_UNWATCHED)
    assert len(look(script, "lock>50ms", at_ms=(310,))) == fires


def test_a_collection_counts_once() -> None:
    """It has a slice on its thread and one on the track of collections."""
    script = Script([])
    script.add(100 * MS, "GC_BEGIN", 2)
    script.add(200 * MS, "GC_END", 2)
    assert look(script, "gc>50ms", at_ms=(210, 20_000)) == [
        (210, "gc>50ms (GC gen2, 100.0 ms)", 100, 200, 0)
    ]


def test_numbers_fire_as_they_go_beyond() -> None:
    """Not again before they were below the limit."""
    script = Script([])
    for task in (1, 2, 3):
        script.add(task * S, "TASK_NEW", task, FUNC, 0)
    script.add(20 * S, "STEP_BEGIN", 3)
    script.add(20 * S, "STEP_DONE", 3)
    script.add(40 * S, "TASK_NEW", 4, FUNC, 0)
    looks = (1_500, 2_500, 3_500, 15_000, 21_000, 41_000)
    assert [row[:2] for row in look(script, "tasks>2", at_ms=looks)] == [
        (3_500, "tasks>2 (3)"),
        (41_000, "tasks>2 (3)"),
    ]
    assert [row[:2] for row in look(script, "rss>1K", at_ms=(5,), rss_bytes=1025)] == [
        (5, "rss>1K (1025 bytes)")
    ]


def test_one_in_ten_seconds() -> None:
    """The others are counted, and the next one that is told says how many."""
    script = Script([])
    a_task(script)
    for second in range(1, 13):
        script.add(second * S - MS, "READY", 1)
        a_step(script, second * 1_000, second * 1_000 + 200)
    looks = tuple(second * 1_000 + 500 for second in range(1, 13))
    told = look(script, "loop>100ms", at_ms=looks)
    assert [(ms, suppressed) for ms, *_, suppressed in told] == [(1_500, 0), (11_500, 9)]


@pytest.mark.parametrize(
    ("cooldown_s", "told"),
    [
        (0, [(ms, 0) for ms in range(1_500, 13_500, 1_000)]),
        (5, [(1_500, 0), (6_500, 4), (11_500, 4)]),
    ],
)
def test_another_cooldown(cooldown_s: int, told: list[tuple[int, int]]) -> None:
    """Each moment is told, or counted with the next one that is."""
    script = Script([])
    a_task(script)
    for second in range(1, 13):
        script.add(second * S - MS, "READY", 1)
        a_step(script, second * 1_000, second * 1_000 + 200)
    looks = tuple(second * 1_000 + 500 for second in range(1, 13))
    found = look(script, "loop>100ms", at_ms=looks, cooldown_s=cooldown_s)
    assert [(ms, suppressed) for ms, *_, suppressed in found] == told


def test_two_at_once() -> None:
    """The first of them is told, the other one counted."""
    script = Script([])
    a_task(script)
    script.add(50 * MS, "REGION_BEGIN", REGION, 0, 1)
    a_step(script, 100, 400)
    script.add(11 * S, "READY", 1)
    a_step(script, 11_000, 11_900)
    found = look(script, "loop>100ms", "region load page>50ms", at_ms=(500, 12_000))
    assert [row[4] for row in found] == [0, 1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("loop>abc", "'loop>abc': 'abc' is not a limit such as 100ms or 5s"),
        ("loop>100", "'loop>100': '100' is not a limit such as 100ms or 5s"),
        ("tasks>5ms", "'tasks>5ms': '5ms' is not a limit such as 200"),
        ("rss>2X", "'rss>2X': '2X' is not a limit such as 2G"),
        ("loop", "'loop' is not a condition. Use loop>100ms, "),
        ("sloop>1s", "'sloop>1s' is not a condition. Use "),
        ("region>1s", "'region>1s' is not a condition. Use "),
        ("loop x>1s", "'loop x>1s' is not a condition. Use "),
        ("signal:KILL", "'KILL' is not a signal to wait for. Use signal:USR2"),
        ("signal:", "'' is not a signal to wait for. Use signal:USR2"),
        ("region " + "x" * 99 + ">1s", "is longer than 95 bytes"),
    ],
)
def test_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse([text])


def test_conditions() -> None:
    """Kind, limit and name, as C takes them; those of the program's end are not for C."""
    texts = ["loop>1.5ms", "region a>b>2s", "rss>2G", "signal:SIGUSR2", "exit", "exception"]
    assert [condition[:3] for condition in parse(texts)] == [
        (0, 1_500_000, ""),
        (6, 2_000_000_000, "a>b"),
        (9, 2 << 30, ""),
        (10, 12, ""),
    ]
