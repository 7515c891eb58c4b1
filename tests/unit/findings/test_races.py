"""Tasks that lose a race each time, and are left behind."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

SITE = "/app/leak.py:9 call"
AWAITS = "/app/leak.py:11 call"


def races(awaits="wait", together=True, count=120, every_ns=6 * MS):
    """Each round waits for a message or for `stop`, in a new task; the latter all end as one
    sets the event, or one by one."""
    trace = TraceBuilder(argv="leak.py", signals=SIGNALS)
    loop = trace.loop(trace.thread("MainThread"))
    serve = loop.task("serve", site="/app/leak.py:20 serve").ready(0).running(1)
    stops, over = [], count * every_ns + 10 * MS
    for n in range(count):
        at = n * every_ns + 1_000
        stop = loop.task("stop", site=SITE, parent=serve.id).ready(at, by=serve)
        serve.awaits(at + 50_000, awaits, site="/app/leak.py:25 serve")
        stop.running(at + 100_000).awaits(at + 200_000, "Event", site=AWAITS)
        serve.ready(at + every_ns - 500_000, waker="timer").running(at + every_ns - 400_000)
        stops.append(stop)
    for n, stop in enumerate(stops):
        end = over + n * (1_000 if together else 2 * MS)
        stop.ready(end, by=serve).running(end).done(end)
    serve.done(over + 2 * count * MS)
    return trace.ended(over + 2 * count * MS + 2)


def test_tasks_that_lost_each_race(tmp_path):
    """All are woken at the end, but nobody awaited them any more."""
    (found,) = find_in(tmp_path, races())
    assert found.finding == "task leak"
    assert found.text == (
        "Tasks of `stop` (leak.py:9) pile up: 60 were alive half-way, 120 at the end, of 120 "
        "created by `serve` (leak.py:20). The old ones, the oldest for 730 ms, stay in `await "
        "Event` (leak.py:11) until all are woken together at the end. Their creator awaits "
        "each beside something else, goes on without it, and makes another one."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"awaits": "sleep"}, id="nobody awaited them"),
        pytest.param({"together": False}, id="one after the other"),
        pytest.param({"count": 40, "every_ns": 18 * MS}, id="a few"),
    ],
)
def test_tasks_that_a_shutdown_ends(tmp_path, story):
    assert kinds(tmp_path, races(**story)) == []
