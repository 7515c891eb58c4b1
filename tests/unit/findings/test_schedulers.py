"""Schedulers of one thread, and a job that keeps them."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

SCHED = "/usr/lib/python3.13/sched.py:148 scheduler.run\n/app/jobs.py:30 run_jobs"
LIB = "/venv/lib/python3.13/site-packages/schedule/__init__.py"
SCHEDULE = (
    f"{LIB}:691 Job.run\n{LIB}:173 Scheduler._run_job\n{LIB}:99 Scheduler.run_pending\n"
    "/app/jobs.py:30 run_jobs"
)
JOB = "/app/jobs.py:9 copy\n/app/jobs.py:14 backup\n"


def jobs(job_ns=300 * MS, pause_ns=50 * MS, long=3, looks=12, runs=SCHED):
    """A thread sleeps until the next job, and `long` times `backup` sleeps."""
    trace = TraceBuilder(argv="jobs.py", signals=SIGNALS)
    thread, at = trace.thread("scheduler"), 0
    for n in range(looks):
        if runs == SCHED:
            thread.enter(at, s.SLEEP, s.CAT_SLEEP, {s.ARG_STACK: runs})
        else:
            thread.sleep(at, site="/app/jobs.py:31 run_jobs")
        at += pause_ns
        thread.native(at)
        at += MS
        if n % (looks // max(long, 1)) == 1 and n // (looks // max(long, 1)) < long:
            stack = {s.ARG_SITE: "/app/jobs.py:9 copy", s.ARG_STACK: JOB + runs}
            thread.enter(at, s.SLEEP, s.CAT_SLEEP, stack)
            at += job_ns
            thread.native(at)
            at += MS
    thread.end(at)
    return trace.ended(at + MS)


@pytest.mark.parametrize("runs", [SCHED, SCHEDULE])
def test_a_long_job_delays_the_others(tmp_path, runs):
    (found,) = find_in(tmp_path, jobs(runs=runs))
    assert found.finding == "pool exhausted"
    assert (
        "`scheduler` runs all jobs of its scheduler one after the other, and `backup` "
        "(jobs.py:14) kept it 3 times, for 302 ms at most (at 101 ms), 99 % of that time "
        "asleep in `copy` (jobs.py:9), though it mostly has the next job after 50.0 ms"
    ) in found.text
    assert found.severity_ns == 3 * 252 * MS


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"job_ns": 150 * MS}, id="jobs of a moment"),
        pytest.param({"pause_ns": 200 * MS}, id="nothing else is due soon"),
        pytest.param({"looks": 6}, id="it has hardly begun"),
        pytest.param({"long": 0}, id="short jobs only"),
    ],
)
def test_jobs_are_on_time(tmp_path, story):
    assert kinds(tmp_path, jobs(**story)) == []
