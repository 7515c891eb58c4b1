"""Handlers that need a connection which those have that wait for their answers."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in

POOL = "connection pool (httpcore)"
REPORT, STEP = "/app/api.py:12 report", "/app/api.py:15 step"


def calls(ns=700 * MS, answered_ns=2 * MS, begins_ns=MS, made=False, slots=2):
    """Two tasks wait for answers of handlers, which begin `begins_ns` later, wait for a
    connection of the same pool and give up; the answers come `answered_ns` after that.
    `made`: one task has made them all."""
    trace = TraceBuilder(argv="api.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, lock, end = trace.loop(thread), trace.lock(POOL, STEP), 10 * MS + ns
    main = loop.task("main", site="/app/api.py:30 main").ready(0).running(0)
    by = main.id if made else 0
    for n in range(2):
        report = loop.task("report", site=REPORT, parent=by).ready(n).running(n)
        report.awaits(MS + n, "response (httpcore)", site=REPORT, stack=REPORT)
        step = loop.task("step", site=STEP, parent=by)
        begun = max(MS + begins_ns + n, 1)
        step.ready(begun).running(begun)
        step.awaits(10 * MS + n, POOL, lock=lock.id, site=STEP, acquired=False, slots=slots)
        step.ready(end, waker="timer").running(end + n).done(end + n + 1)
        at = end + answered_ns + n
        report.ready(at, waker="io").running(at).done(at + 1)
    last = end + max(answered_ns, 0) + MS
    main.done(last)
    thread.end(last)
    return trace.ended(last + MS)


def test_who_waits_for_an_answer_has_what_it_needs(tmp_path):
    (found,) = find_in(tmp_path, calls())
    assert found.finding == "deadlock"
    assert found.text == (
        "Deadlock at 10.0 ms, for 700 ms: 2 tasks `step` wait for a connection of httpx's "
        "pool in `step` (api.py:15), and 2 tasks `report` hold them all and wait for those. "
        "Give the connection back before waiting for somebody who needs one."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"answered_ns": 200 * MS}, id="the answers come later"),
        pytest.param({"answered_ns": -50 * MS}, id="they came before"),
        pytest.param({"begins_ns": -MS}, id="they had begun before"),
        pytest.param({"made": True}, id="one task made all"),
        pytest.param({"slots": 3}, id="there are more connections"),
    ],
)
def test_somebody_else_answers(tmp_path, story):
    assert "deadlock" not in [found.finding for found in find_in(tmp_path, calls(**story))]
