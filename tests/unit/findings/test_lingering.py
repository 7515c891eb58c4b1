"""Tasks that await something for long after they were cancelled."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

SLEEPS = "/app/agent.py:30 push"


def stopped(ns=800 * MS, more_ns=0, by_stop=True, line=17, shielded=True):
    """`stop` cancels `sync` and awaits it and others. `sync` had shielded `push`, and awaits
    its end; or it awaits an event. The others end `more_ns` later."""
    trace = TraceBuilder(argv="agent.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    stop = loop.task("stop", site="/app/agent.py:40 stop").ready(0).running(0)
    sync = loop.task("sync", site="/app/agent.py:12 sync", parent=stop.id).ready(1).running(1)
    push = loop.task("push", site="/app/agent.py:28 push", parent=sync.id).ready(2).running(2)
    stop.awaits(4, "sleep", site="/app/agent.py:41 stop")
    awaited = f"task {push.name}" if shielded else "Event"
    sync.awaits(4, awaited, site="/app/agent.py:15 sync")
    push.awaits(4, "sleep", site=SLEEPS)
    at = 100 * MS
    stop.ready(at, waker="timer").running(at)
    sync.ready(at, by=stop) if by_stop else sync.ready(at, waker="timer")
    stop.awaits(at, "gather", site="/app/agent.py:43 stop")
    sync.running(at).awaits(at, awaited, site=f"/app/agent.py:{line} sync")
    end = at + ns
    push.ready(end, waker="timer").running(end)
    sync.ready(end, by=push)
    push.done(end)
    sync.running(end).done(end, "cancelled")
    stop.ready(end + more_ns, waker="nobody").running(end + more_ns).done(end + more_ns)
    thread.end(end + more_ns + 1)
    return trace.ended(end + more_ns + MS)


def test_a_shielded_task_delays_the_end(tmp_path):
    (found,) = find_in(tmp_path, stopped())
    assert found.finding == "wait in vain"
    assert found.text == (
        "Waited in vain: `stop` in `stop` (agent.py:43) cancelled `sync` and then waited "
        "800 ms for its end (at 100 ms): `sync` awaits `task Task-3` in `sync` (agent.py:17) "
        "before it ends, for 800 ms, 100 % of that time asleep in `push` (agent.py:30). Clean "
        "up without awaiting, with a short time-out, or in a task of its own."
    )
    assert found.severity_ns == 800 * MS


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 450 * MS}, id="a moment"),
        pytest.param({"by_stop": False}, id="nobody cancelled it"),
        pytest.param({"line": 15}, id="it goes on as before"),
        pytest.param({"more_ns": 100 * MS}, id="others end last"),
        pytest.param({"shielded": False}, id="its event was set just then"),
    ],
)
def test_tasks_that_end_soon(tmp_path, story):
    assert kinds(tmp_path, stopped(**story)) == []
