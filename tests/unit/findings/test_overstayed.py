"""Tasks that wait on for long after their time limit was over."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

TIMED = "/usr/lib/python3.13/asyncio/timeouts.py:129 Timeout._on_timeout"
WORK = "/app/job.py:5 work\n/app/job.py:12 job"
BYE = "/app/job.py:8 goodbye\n/app/job.py:14 job"


def jobs(tasks=2, ns=900 * MS, stack=BYE, ready=TIMED, later=False):
    """Tasks of which 200 ms of work are cut short, and that then wait in `goodbye`."""
    trace = TraceBuilder(argv="job.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, end = trace.loop(thread), 200 * MS + ns + 90 * MS
    for n in range(tasks):
        task = loop.task("job", site="/app/job.py:10 job").ready(n).running(n)
        task.awaits(n + 1, "sleep", site="/app/job.py:5 work", stack=WORK)
        at = 200 * MS + n
        task.ready(at, waker="timer", stack=ready).running(at)
        site = stack.split("\n")[0]
        task.awaits(at + MS, "future", site=site, stack=stack)
        at += ns
        task.ready(at, waker="io").running(at)
        if later:
            task.awaits(at + MS, "future", site="/app/job.py:16 job")
            task.ready(at + 30 * MS, waker="io").running(at + 30 * MS)
            at += 30 * MS
        task.done(at + 2 * MS)
    thread.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_a_clean_up_has_no_time_limit(tmp_path):
    (found,) = find_in(tmp_path, jobs())
    assert found.finding == "wait in vain"
    assert found.text.startswith(
        "Waited in vain: the time of 2 tasks `job` in `job` (job.py:14) ran out after 200 ms "
        "in `work` (job.py:5). Then they waited in `future` in `goodbye` (job.py:8) until "
        "they ended, and no time limit cut that short: 2 waits, 1.80 s in total"
    )
    assert found.evidence.site == "/app/job.py:8 goodbye"


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"tasks": 1}, id="one task: another phase of its work"),
        pytest.param({"ns": 380 * MS}, id="not twice the time there was"),
        pytest.param({"stack": "/app/job.py:14 job"}, id="its own next wait"),
        pytest.param({"stack": "/app/job.py:5 work\n/app/job.py:14 job"}, id="once more"),
        pytest.param({"ready": "/app/job.py:30 wake"}, id="nothing was cut short"),
        pytest.param({"later": True}, id="it goes on with other work"),
    ],
)
def test_nobody_overstays(tmp_path, story):
    assert kinds(tmp_path, jobs(**story)) == []
