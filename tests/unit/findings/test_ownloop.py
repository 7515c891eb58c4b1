"""Threads that wait in a step for what their own loop would have to do."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

PUT = "/app/events.py:13 on_event"


def step(what="Condition.wait", ns=900 * MS, acquired=False, gives=True):
    """A step waits; the loop then runs a callback that the step has scheduled."""
    trace = TraceBuilder(argv="events.py", signals=SIGNALS)
    main = trace.thread("MainThread").running(0)
    loop, lock = trace.loop(main), trace.lock(what, PUT)
    task = loop.task("main", site="/app/events.py:20 main")
    task.ready(0).running(1).awaits(12 * MS + ns, "sleep")
    wake = loop.wakes(9 * MS)
    main.lock_wait(10 * MS, what, lock=lock, site=PUT, acquired=acquired)
    end = 10 * MS + ns
    main.running(end)
    loop.step(task, 1, end + 2 * MS)
    ran = end + 3 * MS
    loop.callback(
        "notify", "/app/events.py:30 notify", ran, ran + 1000, by=wake if gives else None
    )
    task.ready(end + 5 * MS, waker="timer").running(end + 5 * MS).done(end + 6 * MS)
    loop.step(task, end + 5 * MS, end + 6 * MS)
    main.end(end + 7 * MS)
    return trace.ended(end + 8 * MS)


@pytest.mark.parametrize("what", ["Condition.wait", "Queue.put", "Event.wait"])
def test_its_own_loop_would_have_to_run(tmp_path, what):
    found, *_ = find_in(tmp_path, step(what))
    assert (found.finding, found.severity_ns) == ("deadlock", 900 * MS)
    assert found.text.startswith(
        f"Deadlock at 10.0 ms, for 900 ms: `MainThread` in `on_event` (events.py:13) waits in "
        f"`{what}` and blocks its own event loop meanwhile: what it had given to that loop "
        f"could only run when it gave up."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 300 * MS}, id="not for long"),
        pytest.param({"acquired": True}, id="somebody else ended it"),
        pytest.param({"gives": False}, id="the loop had nothing of it to do"),
        pytest.param({"what": "Queue.get"}, id="it may look for work"),
    ],
)
def test_what_others_may_end(tmp_path, story):
    assert "deadlock" not in kinds(tmp_path, step(**story))
