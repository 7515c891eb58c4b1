"""Jobs of a pool told apart: whose are one batch, and those for which nobody waits."""

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


TAKE, STATUS = "/app/jobs.py:22 work", "/app/jobs.py:12 status"
SEND_MAIL, CALL = "/app/jobs.py:8 send", "/app/jobs.py:31 call"
BY = "/app/jobs.py:17 run"
RUN = "/lib/python3.13/threading.py:992 Thread.run"


def printer(send_ns=200 * MS, by=(), behind_loop=True):
    """One worker sends something and then answers a request, five times, without a pause.
    Two threads ask, one after the other, each as soon as it has its answer."""
    trace = TraceBuilder(argv="jobs.py", signals=SIGNALS)
    worker = trace.thread("printer").native(0)
    boards = [trace.thread(f"board-{n}").native(0) for n in range(2)]
    queue = trace.lock("Queue.get", TAKE)
    worker.lock_wait(1, "Queue.get", lock=queue, site=TAKE)
    boards[0].release(10 * MS - 1, queue, to=worker)
    worker.native(10 * MS)
    events = [trace.lock("Event.wait", CALL) for _ in range(6)]

    def blocked(at, site, until):
        worker.sleep(at, site=site)
        assert worker.state
        frames = [site, *by, *([TAKE] if behind_loop else []), RUN]
        worker.state.args["stack"] = "\n".join(frames)
        worker.native(until)

    for n, board in enumerate(boards):
        board.lock_wait(10 * MS + n, "Event.wait", lock=events[n], site=CALL)
    at = 11 * MS
    for n in range(5):
        blocked(at, SEND_MAIL, at + send_ns)
        blocked(at + send_ns + 1, STATUS, at + send_ns + 5 * MS)
        board, at = boards[n % 2], at + send_ns + 5 * MS + 10
        worker.release(at - 5, events[n], to=board)
        board.native(at + 2)  # the worker goes on before it runs
        if n < 3:
            board.lock_wait(at + 20, "Event.wait", lock=events[n + 2], site=CALL)
    for thread in (worker, *boards):
        thread.end(at + 20 * MS)
    return trace.ended(at + 21 * MS)


def starved(tmp_path, **story):
    found = find_in(tmp_path, printer(**story))
    return [one.text for one in found if "waited for a worker" in one.text]


def test_a_job_has_its_own_name(tmp_path):
    (text,) = starved(tmp_path)
    assert text == (
        "Thread-pool starvation: the only worker of `printer` is busy with `send` "
        "(jobs.py:8), 99 % of that time asleep in `send` (jobs.py:8). Meanwhile 5 calls of "
        "`status` (jobs.py:12), submitted by 2 threads `board-N`, waited for a worker, 1.82 s "
        "in total, the longest 406 ms (at 10.0 ms). Run `send` in a pool of its own, or give "
        "this one more workers."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"by": (BY,)}, id="the loop calls one function for all"),
        pytest.param({"behind_loop": False}, id="the loop is not on the stack"),
    ],
)
def test_jobs_that_are_not_told_apart(tmp_path, story):
    """Then both may be one job."""
    assert not any("calls of `status`" in text for text in starved(tmp_path, **story))
