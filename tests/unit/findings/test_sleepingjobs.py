"""Short sleeps of which each is a job's, or an item's: whoever has them polls for nothing."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, kinds
from tracer import schema as s

POLL = "/app/poll.py:5 poll"
JOB = "/app/poll.py:20 fetch"


def worker_of_jobs(sleeps_each=1, jobs=600, function=JOB, takes=""):
    """A worker of a pool runs jobs that sleep."""
    trace, at = TraceBuilder(argv="poll.py", signals=SIGNALS), MS
    main, thread = trace.thread("MainThread").native(0), trace.thread("pool_0")
    if takes:  # a queue in which many wait, and where its items are taken
        below = trace.track(s.TRACK_QUEUES)
        trace.counter(trace.track(f"queue 7 {takes}", b"", parent=below), at, 40)
    for _ in range(jobs):
        thread.runs(at, "fetch", function, by=main.submits(at))
        for _ in range(sleeps_each):
            thread.sleep(at, site=POLL, stack=f"{POLL}\n{JOB}").native(at + MS)
            at += MS + MS // 10
    thread.end(at)
    main.end(at)
    return trace.ended(at + MS)


@pytest.mark.parametrize(
    ("story", "found"),
    [
        pytest.param({}, [], id="each job sleeps"),
        pytest.param({"sleeps_each": 2}, [], id="twice"),
        pytest.param({"sleeps_each": 300, "jobs": 2}, ["busy loop"], id="two jobs poll"),
        pytest.param({"function": "/app/poll.py:30 save"}, ["busy loop"], id="another job"),
        pytest.param(
            {"function": "/app/poll.py:30 save", "takes": "/app/poll.py:19 fetch"},
            [],
            id="an item each",
        ),
        pytest.param(
            {"function": "/app/poll.py:30 save", "takes": "/app/poll.py:30 save"},
            ["busy loop"],
            id="items are taken elsewhere",
        ),
    ],
)
def test_a_job_that_sleeps_once_is_no_poll(tmp_path, story, found):
    assert kinds(tmp_path, worker_of_jobs(**story)) == found
