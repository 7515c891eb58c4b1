"""Groups that do not end since one of their tasks waits for what nobody does."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

WAITS = "/app/job.py:8 watch"


def group(steps=3, step_ns=100 * MS, until=1_500 * MS, how="cancelled", what="Event", by=""):
    """`main` waits for `watch` and some steps; `watch` waits until it is cancelled."""
    trace = TraceBuilder(argv="job.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    lock = trace.lock(what, WAITS)
    main = loop.task("main", site="/app/job.py:15 main").ready(0).running(0)
    watch = loop.task("watch", site="/app/job.py:7 watch", parent=main.id)
    watch.ready(1).running(2).awaits(
        3, what, lock=lock.id, site=WAITS, kind=what, acquired=bool(by)
    )
    work = [
        loop.task("step", site="/app/job.py:12 step", parent=main.id).ready(4).running(5)
        for _ in range(steps)
    ]
    main.awaits(9, "TaskGroup", site="/app/job.py:20 main")
    for n, task in enumerate(work):
        task.awaits(6, "sleep", site="/app/job.py:13 step")
        task.ready(step_ns + n, waker="timer").running(step_ns + n).done(step_ns + n)
    watch.ready(until, waker=by or "cancel").running(until + 1).done(until + 2, how)
    main.ready(until + 2, waker="nobody").running(until + 3).done(until + 4)
    thread.end(until + 5)
    return trace.ended(until + MS)


@pytest.mark.parametrize("what", ["Event", "Condition", "future"])
def test_the_last_one_waits_in_vain(what, tmp_path):
    (found,) = find_in(tmp_path, group(what=what))
    assert found.finding == "wait in vain"
    assert found.text == (
        "Waited in vain: `main` in `main` (job.py:20) waited for `watch`, which waited 1.50 s "
        f"in `{what}` in `watch` (job.py:8) until it was cancelled (at 3 ns): nobody ended "
        "that. The others in that `TaskGroup`, 3 tasks `step`, had ended 1.40 s before. "
        "Cancel it when they have ended, or end its wait."
    )
    assert found.severity_ns == 1_400 * MS - 2


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"until": 1_050 * MS}, id="alone for a moment"),
        pytest.param({"step_ns": 700 * MS}, id="others work for longer"),
        pytest.param({"steps": 0}, id="it was all there is to do"),
        pytest.param({"how": "done"}, id="a time-out of its own"),
        pytest.param({"what": "sleep"}, id="it is asleep"),
        pytest.param({"by": "io"}, id="it was woken"),
    ],
)
def test_the_last_one_ends(tmp_path, story):
    assert kinds(tmp_path, group(**story)) == []
