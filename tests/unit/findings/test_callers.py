"""Whose jobs are one batch: calls for one result, jobs that a library hands on, jobs that
nobody began."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

PUSH = ("push", "/app/jobs.py:3 push")
SEND = ("send", "/app/jobs.py:8 send")
APPLY = ("apply", "/usr/lib/python3/site-packages/celery/concurrency/base.py:22 apply")


def pool(waits_for="send", soon_ns=MS, jobs=(PUSH, SEND), ends="", begun=True):
    """One thread submits two jobs of `push`, which have both workers, then one of `send`."""
    trace = TraceBuilder(argv="jobs.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    slow, quick = jobs
    done = 800 * MS
    pushes, last = [main.submits(5 + n) for n in range(2)], main.submits(50 * MS)
    workers = [trace.thread(f"pool_{n}") for n in range(2)]
    for n, worker in enumerate(workers):
        worker.runs(10 + n, *slow, by=pushes[n]).sleep(10 + n, site=PUSH[1])
    first = workers[0]
    if begun:
        first.runs(done, *quick, by=last).native(done)
    else:
        last.flows.append(next(trace.flow_ids))  # an arrow that ends nowhere
        first.native(done)
    first.end(done + 2 * MS)
    workers[1].native(done).end(done + 2 * MS)
    if waits_for:
        result = trace.lock("Future.result", "/app/jobs.py:20 main")
        until = done + 3 * MS if waits_for == "send" else done - 100 * MS
        main.lock_wait(50 * MS + soon_ns, "Future.result", lock=result).native(until)
    if ends:
        main.lock_wait(done - 10 * MS, ends, lock=trace.lock(ends, "/app/jobs.py:21 main"))
    main.end(done + 50 * MS)
    return trace.ended(done + 60 * MS)


def test_a_call_behind_other_jobs_of_its_caller(tmp_path):
    """It waits for this one's result alone, and does nothing else until it is there."""
    (found,) = find_in(tmp_path, pool())
    assert found.finding == "thread-pool starvation"
    assert "are busy with `push` (jobs.py:3)" in found.text
    assert "1 call of `send` (jobs.py:8), submitted by `MainThread`, waited" in found.text
    assert 749 * MS <= found.severity_ns <= 751 * MS


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"soon_ns": 30 * MS}, id="it did something else before"),
        pytest.param({"waits_for": "push"}, id="it waits for another one"),
    ],
)
def test_a_batch(tmp_path, story):
    assert kinds(tmp_path, pool(**story)) == []


def test_a_library_hands_on_jobs_until_the_end(tmp_path):
    """A worker's main thread waits for its own pool only when it ends."""
    own = pool(waits_for="", jobs=(APPLY, APPLY), ends="executor shutdown")
    (found,) = find_in(tmp_path, own)
    assert "are busy with `push` (jobs.py:3)" in found.text
    mine = pool(waits_for="", ends="executor shutdown")
    assert kinds(tmp_path, mine) == []


def test_jobs_that_were_never_begun(tmp_path):
    (found,) = find_in(tmp_path, pool(waits_for="", jobs=(APPLY, APPLY), begun=False))
    assert "Meanwhile 1 call, submitted by `MainThread`, waited for a worker" in found.text
    assert ", and none of them was ever begun. " in found.text


def batch(waits=40):
    """A thread submits 40 jobs with pauses, which one worker works off in 25 ms each. Of each
    it waits for the last 8 ms, at most."""
    trace = TraceBuilder(argv="jobs.py", signals=SIGNALS)
    main, worker = trace.thread("MainThread").native(0), trace.thread("pool_0")
    calls = []
    for n in range(40):
        at = n * MS + n // 10 * 20 * MS
        calls.append(main.submits(at))
        if n % 10 == 9:
            main.sleep(at + 1).native(at + 20 * MS)
    result = trace.lock("Future.result", "/app/jobs.py:20 main")
    for n, call in enumerate(calls):
        start = (130 + n * 25) * MS
        worker.runs(start, *PUSH, by=call).sleep(start + 1, site=PUSH[1])
        end = start + 25 * MS
        if n < waits:
            main.lock_wait(end - 8 * MS, "Future.result", lock=result).native(end + 1)
    worker.native((130 + 40 * 25) * MS).end((131 + 40 * 25) * MS)
    main.end((140 + 40 * 25) * MS)
    return trace.ended((141 + 40 * 25) * MS)


def test_results_that_come_at_short_intervals(tmp_path):
    """No wait for one is long, but all are together: the jobs are the thread's own batch."""
    assert kinds(tmp_path, batch()) == []
    assert kinds(tmp_path, batch(waits=1)) == ["thread-pool starvation"]
