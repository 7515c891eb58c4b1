"""One step that holds up a crowd, and crowds that hold up themselves and others."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, Service, find_in, kinds


def test_one_step_that_holds_up_many(tmp_path):
    """60 ms, once: 20 tasks lose more than a second."""
    (found,) = find_in(tmp_path, Service(victims=20).blocks(1, 60 * MS))
    assert found.finding == "loop blocked"
    assert found.severity_ns == 20 * 60 * MS


@pytest.mark.parametrize(
    ("victims", "step_ms"), [pytest.param(5, 60, id="few"), pytest.param(20, 15, id="short")]
)
def test_one_step_that_does_not_matter(tmp_path, victims, step_ms):
    assert kinds(tmp_path, Service(victims).blocks(1, step_ms * MS)) == []


def test_tasks_that_the_step_made(tmp_path):
    """Whoever makes many tasks does not hold them up."""
    trace = TraceBuilder(argv="make.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop = trace.loop(thread)
    maker = loop.task("make", site="/app/make.py:3 make").ready(0).running(1)
    loop.step(maker, 1, 60 * MS)
    made = [loop.task("made", site="/app/make.py:9 made", parent=maker.id) for _ in range(20)]
    for one in made:
        one.ready(2, by=maker)
    maker.done(60 * MS)
    for n, one in enumerate(made):
        one.running(60 * MS + n).done(60 * MS + n + 1)
        loop.step(one, 60 * MS + n, 60 * MS + n + 1)
    thread.end(70 * MS)
    assert kinds(tmp_path, trace.ended(71 * MS)) == []


def crowd(tasks=100, step_ms=8, ticks=False):
    """All tasks are ready at once; a ticker comes in between, and waits for its turn."""
    trace = TraceBuilder(argv="crowd.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop = trace.loop(thread)
    ticker = loop.task("tick", site="/app/crowd.py:20 tick").ready(0).running(1)
    loop.step(ticker, 1, 2)
    ticker.awaits(2, "sleep", site="/app/crowd.py:21 tick")
    clients = [loop.task("client", site="/app/crowd.py:5 client") for _ in range(tasks)]
    for client in clients:
        client.ready(2, waker="timer")
    end = 2 + tasks * step_ms * MS
    if ticks:
        ticker.ready(MS, waker="timer")
    for n, client in enumerate(clients):
        at = 2 + n * step_ms * MS
        client.running(at).done(at + step_ms * MS)
        loop.step(client, at, at + step_ms * MS)
    if ticks:
        ticker.running(end).awaits(end + 1, "sleep", site="/app/crowd.py:21 tick")
        loop.step(ticker, end, end + 1)
    thread.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_a_crowd(tmp_path):
    (found,) = find_in(tmp_path, crowd())
    assert found.finding == "loop overloaded"
    assert found.text == (
        "Event loop overloaded: 100 tasks of `client` (crowd.py:5) have work for 800 ms in "
        "100 steps and wait for each other to run: one wait in ten takes 713 ms or more, the "
        "longest 792 ms (at 2 ns). Start fewer at a time (a semaphore, a bounded queue), or "
        "do less in each step."
    )
    assert found.severity_ns == sum(n * 8 * MS for n in range(100))


def test_a_crowd_that_makes_others_late(tmp_path):
    """No task of it waits for half a second, but the ticker is late."""
    (found,) = find_in(tmp_path, crowd(tasks=300, step_ms=2, ticks=True))
    assert "; `tick` (crowd.py:20) runs up to 599 ms late because of them." in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"tasks": 200, "step_ms": 2}, id="a batch that only delays itself"),
        pytest.param({"tasks": 40, "ticks": True}, id="a small one"),
    ],
)
def test_no_crowd(tmp_path, story):
    assert kinds(tmp_path, crowd(**story)) == []
