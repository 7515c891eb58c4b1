"""Jobs of home-made pools for which nobody waits, just before those of a request."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in

TAKE, STATUS = "/app/jobs.py:22 work", "/app/jobs.py:12 status"
SEND, CALL = "/app/jobs.py:8 send", "/app/jobs.py:31 call"
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
        blocked(at, SEND, at + send_ns)
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
