"""Periodic tasks of which one is made after the other."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

BEAT, CONNECT = "/app/bus.py:18 heartbeat", "/app/bus.py:14 connect"


def bus(
    count=32, every=50 * MS, until=0, ends=False, by_each=False, leaves=False, what="sleep",
    stops=False,
):  # fmt: skip
    """A task makes heartbeats, each of which wakes every second; or each of its clients makes
    one, and `leaves` soon. `stops`: in the end all beats return."""
    trace = TraceBuilder(argv="bus.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop = trace.loop(thread)
    main = loop.task("main", site="/app/bus.py:30 main")
    main.ready(0).running(0).awaits(MS, "sleep", site="/app/bus.py:32 main")
    loop.step(main, 0, MS)
    events, end = [], until or count * every + 100 * MS
    for n in range(count):
        born = MS + n * every
        parent = main
        if by_each:
            parent = loop.task("client", site="/app/bus.py:40 client", parent=main.id)
            events.append((born, parent, "client"))
            events += [(born + 20 * MS, parent, "leaves")] if leaves else []
        beat = loop.task("heartbeat", site="/app/bus.py:16 heartbeat", parent=parent.id)
        events.append((born + MS, beat, "born"))
        wake = born + MS + 300 * MS
        while wake < end:
            events.append((wake, beat, "done" if ends and wake > born + 400 * MS else "wake"))
            if events[-1][2] == "done":
                break
            wake += 300 * MS
    for at, task, how in sorted(events, key=lambda event: (event[0], event[1].id)):
        if how in ("born", "client"):
            task.ready(at, stack=CONNECT).running(at)
        else:
            task.ready(at, waker="timer").running(at)
        if how in ("done", "leaves"):
            task.done(at + 1)
        else:
            task.awaits(at + 1, what if how != "client" else "future", site=BEAT)
        loop.step(task, at, at + 1)
    for beat in [task for _, task, how in events if how == "born"] if stops else ():
        beat.ready(end, waker="timer").running(end).done(end + 1)
        loop.step(beat, end, end + 1)
        end += 2
    main.ready(end, waker="timer").running(end).done(end + 1)
    loop.step(main, end, end + 1)
    thread.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_a_heartbeat_for_each_connection(tmp_path):
    (found,) = find_in(tmp_path, bus())
    assert found.finding == "task leak"
    assert found.text == (
        "Tasks of `heartbeat` (bus.py:16) pile up: 32 were created by `main` (bus.py:14), one "
        "after the other, and none had ended when the last one began: each still sleeps and "
        "wakes again in `heartbeat` (bus.py:18)."
    )
    assert found.next_step == (
        "Cancel the old one before a new one is created, or keep one for all."
    )


def test_a_heartbeat_that_outlives_each_client(tmp_path):
    (found,) = find_in(tmp_path, bus(by_each=True, leaves=True))
    assert found.finding == "task leak"
    assert found.text == (
        "Tasks of `heartbeat` (bus.py:16) pile up: 32 were created by `client` (bus.py:14), "
        "one after the other, by tasks that have ended since, and none had ended when the "
        "last one began: each still sleeps and wakes again in `heartbeat` (bus.py:18)."
    )
    assert found.next_step == (
        "Cancel it in a `finally` of whoever creates it, or create it in a task group."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"count": 20}, id="few"),
        pytest.param({"until": 4_000 * MS}, id="a staggered start"),
        pytest.param({"ends": True}, id="they end"),
        pytest.param({"by_each": True}, id="each client has its own"),
        pytest.param({"by_each": True, "leaves": True, "ends": True}, id="they end later"),
        pytest.param({"what": "query (asyncpg)"}, id="they work"),
        pytest.param({"stops": True}, id="users of a test, who return at its end"),
    ],
)
def test_periodic_tasks_that_are_meant(tmp_path, story):
    assert "task leak" not in kinds(tmp_path, bus(**story))
