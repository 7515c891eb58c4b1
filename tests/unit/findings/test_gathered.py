"""Rounds of tasks that are gathered: advice, and when they are as they should be."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

GATHERS = "/app/shop.py:30 load"
LIBRARY = "/venv/lib/python3.13/site-packages/lib/clock.py:9 price"


def rounds(
    times=10, ns=200 * MS, functions=("price", "stock"), pause_ns=0, done=True,
    site="/app/shop.py:9 price", what="gather", extra=0, quickest=4,
):  # fmt: skip
    """`load` makes a task of each function and awaits them, again and again; so many rounds
    have one more task. The second one takes a part of a round, one of `quickest`."""
    trace = TraceBuilder(argv="shop.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    load = loop.task("load", site="/app/shop.py:28 load").ready(0).running(1)
    at = 10
    for n in range(times):
        every = [*functions, *(["refund"] if n < extra else [])]
        sites = [f"/app/shop.py:{10 + k} {name}" for k, name in enumerate(every)]
        tasks = [
            loop.task(name, site=site if name == functions[0] else sites[k],
                      parent=load.id)
            for k, name in enumerate(every)
        ]  # fmt: skip
        for k, task in enumerate(tasks):
            task.ready(at + k).running(at + 10 + k).awaits(at + 20 + k, "sleep")
        load.awaits(at + 9, what, site=GATHERS)
        for k, task in enumerate(tasks):
            until = at + int(ns / quickest if k else ns)
            task.ready(until, waker="timer").running(until + 1)
            if not k:
                load.ready(until + 2, by=task)
            task.done(until + 3)
        at += ns + 10
        load.running(at)
        if pause_ns:
            load.awaits(at + 2, "sleep", site=GATHERS)
            at += pause_ns
            load.ready(at, waker="timer").running(at + 1)
        at += 5
    load.done(at + 10, "done" if done else "cancelled")
    thread.end(at + MS)
    return trace.ended(at + 2 * MS)


@pytest.mark.parametrize("what", ["gather", "TaskGroup"])
def test_rounds_of_two(tmp_path, what):
    (found,) = find_in(tmp_path, rounds(what=what))
    assert found.finding == "awaits in turn"
    assert found.text == (
        "Awaits in turn: `load` in `load` (shop.py:30) gathers `price` (shop.py:9) and "
        "`stock` (shop.py:11) 10 times, one round after the other, for 2.00 s (at 19 ns); "
        "each round waits for its slowest, mostly `price` (shop.py:9) (10 times). If no round "
        "depends on the one before, gather all at once, with a semaphore where they would be "
        "too many; 1.80 s would be saved at most."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"times": 9}, id="few"),
        pytest.param({"ns": 80 * MS}, id="little to save"),
        pytest.param({"functions": ("price", "price")}, id="a batch of equal tasks"),
        pytest.param({"functions": ("price",)}, id="one task"),
        pytest.param({"pause_ns": 100 * MS}, id="it pauses in between"),
        pytest.param({"done": False}, id="a service, cancelled in the end"),
        pytest.param({"site": LIBRARY}, id="a task of a library: a clock"),
        pytest.param({"extra": 5}, id="the rounds differ"),
        pytest.param({"what": "sleep"}, id="it does not wait for them"),
        pytest.param({"quickest": 1.5}, id="steps that ask for two things of a kind"),
    ],
)
def test_rounds_that_may_be_as_they_are(tmp_path, story):
    assert kinds(tmp_path, rounds(**story)) == []
