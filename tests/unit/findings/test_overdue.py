"""Loops that are blocked while all others sleep: their timers are due, nobody is ready."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

BEAT = "/app/beat.py:20 heartbeat"


def blocked(ns=600 * MS, beats=2, before=4, slept=50 * MS, due=True, each=BEAT):
    """Heartbeats sleep for 50 ms, a few times; then a step of `parse` keeps the loop."""
    trace = TraceBuilder(argv="beat.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop = trace.loop(thread)
    parse = loop.task("parse", site="/app/beat.py:10 parse")
    tasks = [loop.task("heartbeat", site="/app/beat.py:19 heartbeat") for _ in range(beats)]
    parse.ready(0).running(0).awaits(MS, "socket", site="/app/beat.py:11 parse")
    loop.step(parse, 0, MS)
    at = 2 * MS
    for n in range(before + 1):
        where = each or f"/app/beat.py:{20 + n} heartbeat"
        for k, task in enumerate(tasks):
            turn = at + k * MS
            task.ready(at, waker="timer").running(turn).awaits(turn + MS, "sleep", site=where)
            loop.step(task, turn, turn + MS)
        at += beats * MS
        if n < before:
            loop.select(at, at + slept)
            at += slept
    end = at + ns
    parse.ready(at, waker="io").running(at)
    loop.step(parse, at, end)
    parse.awaits(end, "socket", site="/app/beat.py:11 parse")
    later = end if due else end + 50 * MS
    loop.select(end, later)
    for k, task in enumerate([*tasks, parse]):
        turn = later + k * MS
        task.ready(later, waker="timer").running(turn).done(turn + MS)
        loop.step(task, turn, turn + MS)
    thread.end(later + 9 * MS)
    return trace.ended(later + 10 * MS)


def test_a_loop_that_only_sleepers_wait_for(tmp_path):
    (found,) = find_in(tmp_path, blocked())
    assert found.finding == "loop blocked"
    assert found.text == (
        "`parse` (beat.py:10) blocks the event loop for up to 600 ms (at 212 ms); it spends "
        "100 % of that time computing; up to 2 overdue tasks waited behind it, 1.10 s summed "
        "over all of them."
    )
    assert found.severity_ns == 2 * 550 * MS


def test_sleepers_at_one_line_tell_of_each_other(tmp_path):
    (found,) = find_in(tmp_path, blocked(beats=3, before=1))
    assert "up to 3 overdue tasks waited behind it, 1.65 s summed" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 140 * MS}, id="little is lost"),
        pytest.param({"due": False}, id="nobody was due when it was over"),
        pytest.param({"before": 1}, id="nobody knows how long they mean to sleep"),
        pytest.param({"each": ""}, id="they sleep elsewhere"),
        pytest.param({"slept": 700 * MS}, id="they mostly sleep longer"),
        pytest.param({"beats": 0}, id="nobody"),
    ],
)
def test_sleepers_that_lose_nothing(tmp_path, story):
    assert kinds(tmp_path, blocked(**story)) == []


def owed(ns=300 * MS, times=2, name="Future.result", late_ns=MS, by_loop=True, tasks=0):
    """`gui` waits for a result while a step blocks the loop; it has it when that is over.
    So many tasks are ready behind the first step."""
    trace = TraceBuilder(argv="gui.py", signals=SIGNALS)
    thread, gui = trace.thread("io-loop"), trace.thread("gui")
    other, lock = trace.thread("other"), trace.lock(name, "/app/gui.py:20 ask")
    loop, at = trace.loop(thread), 0
    task = loop.task("reindex", site="/app/gui.py:8 reindex").ready(0)
    other.native(0)
    behind = [loop.task(f"state-{n}", site="/app/gui.py:3 state") for n in range(tasks)]
    for state in behind:
        state.ready(MS)
    for _ in range(times):
        task.running(at)
        thread.sleep(at, site="/app/gui.py:6 scan")
        gui.native(at).lock_wait(at + MS, name, lock=lock, site="/app/gui.py:20 ask")
        at += ns
        loop.step(task, at - ns, at)
        task.awaits(at, "sleep", site="/app/gui.py:10 reindex")
        thread.native(at)
        at += late_ns
        (thread if by_loop else other).release(at, lock, to=gui)
        gui.native(at)
        at += 50 * MS
        task.ready(at, waker="timer")
    for n, state in enumerate(behind):
        then = ns + n * MS // 10
        state.running(then).done(then + MS // 10)
        loop.step(state, then, then + MS // 10)
    task.running(at).done(at + MS)
    loop.step(task, at, at + MS)
    for one in (thread, gui, other):
        one.end(at + 2 * MS)
    return trace.ended(at + 3 * MS)


@pytest.mark.parametrize(
    ("tasks", "behind"),
    [
        (1, "a thread waited for what it had given to the event loop, 598 ms in total"),
        (3, "up to 3 ready tasks waited behind it, 897 ms summed over all of them"),
    ],
)
def test_of_threads_and_tasks_those_are_told_who_lost_more(tmp_path, tasks, behind):
    (found,) = find_in(tmp_path, owed(tasks=tasks))
    assert found.text.endswith(f"; {behind}.")


def test_a_thread_waits_for_a_blocked_loop(tmp_path):
    (found,) = find_in(tmp_path, owed())
    assert found.finding == "loop blocked"
    assert found.text == (
        "`reindex` (gui.py:8) blocks the event loop for up to 300 ms (at 0); 2 of its steps "
        "took more than 20.0 ms while others waited, 600 ms in total; it spends 100 % of "
        "that time in `sleep` "
        "(gui.py:6); a thread waited for what it had given to the event loop, 598 ms in total."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"times": 1}, id="little is lost"),
        pytest.param({"name": "Queue.get"}, id="it is idle until something comes"),
        pytest.param({"late_ns": 30 * MS}, id="it comes later"),
        pytest.param({"by_loop": False}, id="another thread gives it"),
    ],
)
def test_a_thread_that_waits_for_others(tmp_path, story):
    assert "loop blocked" not in kinds(tmp_path, owed(**story))
