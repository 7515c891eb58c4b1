"""Callbacks that schedule themselves again and again."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from viewer.analysis.findings.loops import restless

US = 1_000
TICK = "/app/pump.py:7 Pump.tick"


@pytest.fixture(autouse=True)
def _small_traces(monkeypatch):
    """A twentieth of the callbacks: traces by hand are slow to make."""
    monkeypatch.setattr(restless, "_AGAIN", 500)


def ticks(times=600, each_ns=5 * US, every_ns=8 * US, by="call_soon", at_once=1, site=TICK):
    """A loop that runs one callback, scheduled `by` itself, a timer, or from outside."""
    trace = TraceBuilder(argv="pump.py", signals=SIGNALS)
    thread = trace.thread("MainThread")
    loop, at, last = trace.loop(thread), MS, None
    thread.running(0)
    for n in range(times):
        callback = loop.callback(
            "Pump.tick", site, at, at + each_ns, by=last if by == "call_soon" else None
        )
        if by == "timer":
            callback.args["waker"] = "timer"
        last = callback
        at += every_ns if (n + 1) % at_once == 0 else each_ns
    thread.end(at + MS)
    return trace.ended(at + 2 * MS)


def test_a_callback_that_schedules_itself(tmp_path):
    (found,) = find_in(tmp_path, ticks())
    assert found.finding == "busy loop"
    assert found.text == (
        "The callback `Pump.tick` (pump.py:7) polls: it schedules itself with `call_soon` "
        "each time, and the loop ran it 600 times in 4.80 ms (at 1.00 ms). An event, a queue "
        "or `loop.call_soon_threadsafe` would wake it when there is something to do."
    )
    assert found.severity_ns == 600 * 5 * US
    assert found.evidence.site == TICK


def test_a_callback_that_sets_a_timer_for_itself(tmp_path):
    (found,) = find_in(tmp_path, ticks(times=600, every_ns=MS, by="timer"))
    assert found.text == (
        "The callback `Pump.tick` (pump.py:7) polls: it schedules itself with `call_later`, "
        "every 1.00 ms, and the loop ran it 600 times in 599 ms (at 1.00 ms). An event, a "
        "queue or `loop.call_soon_threadsafe` would wake it when there is something to do."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"times": 490}, id="not often"),
        pytest.param({"by": "io"}, id="it is told of data"),
        pytest.param({"each_ns": 30 * US, "every_ns": 31 * US}, id="it works"),
        pytest.param({"site": "/usr/lib/python3.13/asyncio/x.py:3 tick"}, id="a library"),
        pytest.param({"by": "timer", "times": 600, "every_ns": 5 * MS}, id="it paces itself"),
        pytest.param({"by": "timer", "times": 400, "every_ns": MS}, id="few"),
        pytest.param(
            {"by": "timer", "times": 600, "every_ns": 2 * MS, "at_once": 4}, id="many timers"
        ),
        pytest.param({"by": "io", "times": 600, "every_ns": MS}, id="messages"),
    ],
)
def test_callbacks_that_are_woken(tmp_path, story):
    assert kinds(tmp_path, ticks(**story)) == []
