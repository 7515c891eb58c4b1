"""Times and numbers of every length in bytes, in events that come again and again."""

import pytest

from tests.support.records import FUNC, LINE, MAIN, SLEEP, Script, a_task
from tests.support.validator.strict import read_strict
from tracer import schema as s

ROUNDS = 3  # from the second one on, what the events say is known
EDGES = [1 << bits for bits in (0, 7, 14, 21, 28, 35)]
LENGTHS = sorted({length for edge in EDGES for length in (edge - 1, edge, edge + 1)})


@pytest.mark.parametrize("gap_ns", LENGTHS)
def test_steps_last_exactly_as_long_as_they_did(gap_ns: int) -> None:
    script = Script([])
    a_task(script)
    edges = [10_000]
    for _ in range(ROUNDS):
        for kind, b, c in (
            ("STEP_BEGIN", 1, 0),
            ("STEP_AWAIT", SLEEP << 32 | LINE, 0),
            ("READY", 0, 0),
        ):
            script.add(edges[-1], kind, 1, b, c)
            edges.append(edges[-1] + gap_ns)
    script.add(edges[-1], "STEP_BEGIN", 1, 1)
    begins = [begin for name, begin, _ in script.slices() if name.startswith("task:")]
    assert begins[1:] == edges  # the first: ready since it was made


@pytest.mark.parametrize("gap_ns", LENGTHS)
def test_callbacks_that_come_late_are_where_they_were(gap_ns: int) -> None:
    script = Script([])
    a_task(script)
    expected = []
    ns = 10_000
    for _ in range(ROUNDS):
        script.add(ns, "CB_BEGIN", FUNC, 0xFACE, 1)
        script.add(ns + gap_ns, "CB_END")
        expected.append(("loop:handler", ns, ns + gap_ns))
        ns += 2 * gap_ns
    assert [each for each in script.slices() if each[0] == "loop:handler"] == expected


@pytest.mark.parametrize("number", [n for n in LENGTHS if 1 < n < 1 << 32])
def test_a_task_of_any_number_is_named_as_who_woke(number: int) -> None:
    script = Script([])
    a_task(script)
    script.add(3_000, "STEP_BEGIN", 1, 1)
    script.add(3_000, "STEP_AWAIT", 1, SLEEP << 32 | LINE)
    script.add(3_000, "TASK_NEW", number, FUNC, 1)
    for at in range(ROUNDS):
        ns = 4_000 + 100 * at
        script.add(ns, "READY", number)
        script.add(ns + 10, "STEP_BEGIN", number, 1)
        script.add(ns + 20, "READY", 1)
        script.add(ns + 30, "STEP_AWAIT", number, SLEEP << 32 | LINE)
        script.add(ns + 40, "STEP_BEGIN", 1, 1)
        script.add(ns + 50, "STEP_AWAIT", 1, SLEEP << 32 | LINE)
    events = read_strict(script.data()).events
    woken = [
        event.args.get(s.ARG_WAKER_TASK) for event in events if s.ARG_WAKER_TASK in event.args
    ]
    shown = [
        event.args[s.ARG_TASK]
        for event in events
        if event.category == s.CAT_LOOP and event.args.get(s.ARG_TASK) == number
    ]
    assert (woken, shown) == ([number] * ROUNDS, [number] * ROUNDS)


def test_a_time_before_the_last_event_is_kept() -> None:
    """A timer was due while another task ran: its task is ready since then."""
    script = Script([])
    a_task(script)
    by_timer = 2
    for at in range(ROUNDS):
        ns = 10_000 * (at + 1)
        script.add(ns, "STEP_BEGIN", 1, 1)
        script.add(ns + 100, "STEP_AWAIT", 1, SLEEP << 32 | LINE)
        script.add(ns + 200, "POLL_BEGIN", 1)
        script.add(ns + 1_000, "CB_BEGIN", FUNC, 0xFACE, 1)
        script.add(ns + 5_000, "CB_END")
        script.add(ns + 5_100, "POLL_INSTANT", 1)
        script.add(ns + 5_200, "READY", 1, 0, ns + 2_000, flag=by_timer, tid=MAIN)
    ready = [begin for name, begin, _ in script.slices() if name == "task:ready"]
    assert ready[1:] == [10_000 * (at + 1) + 2_000 for at in range(ROUNDS)]
