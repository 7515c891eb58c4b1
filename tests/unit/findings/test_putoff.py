"""Timers that are put off."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

LIB = "/usr/lib/python3.13/threading.py"
WAIT = f"{LIB}:363 Condition.wait"
TIMER = f"{WAIT}\n{LIB}:1340 Timer.run"
CHANGED, LOOKS = "/app/edit.py:16 changed", "/app/edit.py:28 wait_for_save"


def edits(changes=16, every_ns=50 * MS, seconds_ns=100 * MS, waits=True, sites=(CHANGED,)):
    """Each change cancels the timer and starts another; the last one lets `viewer` go on."""
    trace = TraceBuilder(argv="edit.py", signals=SIGNALS)
    main, viewer = trace.thread("MainThread").native(0), trace.thread("viewer").native(0)
    saved = trace.lock("Event.wait", LOOKS)
    if waits:
        viewer.lock_wait(MS, "Event.wait", lock=saved, site=LOOKS, stack=LOOKS)
    at, timer = MS, None
    for n in range(changes):
        timer, finished = trace.thread(f"Thread-{n}"), trace.lock("Event.wait", WAIT)
        begun = trace.instant(
            main.track, at, s.THREAD_START, s.CAT_THREAD, site=sites[n % len(sites)]
        )
        trace.arrow(begun, trace.instant(timer.track, at, s.THREAD_STARTED, s.CAT_THREAD))
        is_last = n == changes - 1
        timer.lock_wait(at, "Event.wait", lock=finished, site=WAIT, stack=TIMER,
                        acquired=not is_last)  # fmt: skip
        at += seconds_ns if is_last else every_ns
        if not is_last:
            main.release(at, finished, to=timer)
            timer.running(at).end(at + 1)
    assert timer is not None
    timer.running(at).release(at + 1, saved, to=viewer if waits else None).end(at + 2)
    viewer.running(at + 3).end(at + MS)
    main.end(at + MS)
    return trace.ended(at + 2 * MS)


def test_nothing_is_saved_while_changes_come(tmp_path):
    (found,) = find_in(tmp_path, edits())
    assert (found.finding, found.severity_ns) == ("missed wake-up", 750 * MS + 3)
    assert found.text == (
        "Missed wake-up: `viewer` in `wait_for_save` (edit.py:28) waited 850 ms (at 1.00 ms) "
        "for what a `threading.Timer` of 100 ms does. 15 timers before it, started in "
        "`changed` (edit.py:16), were cancelled, each for the next one. "
        "Limit how long the timer can be put off."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"changes": 9}, id="for a moment"),
        pytest.param({"changes": 5, "every_ns": 90 * MS, "seconds_ns": 150 * MS}, id="few"),
        pytest.param({"waits": False}, id="nobody waits"),
        pytest.param({"seconds_ns": 600 * MS}, id="it takes long itself"),
        pytest.param({"sites": [f"/app/edit.py:{n} f" for n in range(4)]}, id="of four kinds"),
    ],
)
def test_timers_that_are_put_off_on_purpose(tmp_path, story):
    assert kinds(tmp_path, edits(**story)) == []
