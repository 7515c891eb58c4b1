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
