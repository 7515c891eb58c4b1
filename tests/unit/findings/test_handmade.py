"""Threads that take requests from a queue: who waits behind whom for an answer."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

TAKE, LAUNCH = "/app/jobs.py:22 work", "/app/jobs.py:8 launch"
STATUS, CALL = "/app/jobs.py:12 status", "/app/jobs.py:31 call"
RUN = "/lib/python3.13/threading.py:992 Thread.run"


def workers(slow_ns=400 * MS, quick=4, shared=False, idle=False, takes="Queue.get"):
    """Two threads launch something for a user each, then answer those who asked at 20 ms."""
    trace = TraceBuilder(argv="jobs.py", signals=SIGNALS)
    threads = [trace.thread(f"job-{n}").native(0) for n in range(2)]
    users = [trace.thread(f"user-{n}").native(0) for n in range(2)]
    boards = [trace.thread(f"board-{n}").native(0) for n in range(quick)]
    queue, one = trace.lock(takes, TAKE), trace.lock("Event.wait", CALL)
    for n, thread in enumerate(threads):
        thread.lock_wait(n, takes, lock=queue, site=TAKE)
    for n, (user, thread) in enumerate(zip(users, threads, strict=True)):
        user.release(10 * MS + n, queue, to=thread)
        event = trace.lock("Event.wait", CALL)
        user.lock_wait(10 * MS + 10 + n, "Event.wait", lock=event, site=CALL)
        stack = f"{LAUNCH}\n{TAKE}\n{RUN}"
        thread.native(10 * MS + n).sleep(11 * MS + n, site=LAUNCH)
        assert thread.state
        thread.state.args["stack"] = stack
        thread.native(10 * MS + slow_ns + n)
        thread.release(10 * MS + slow_ns + n + 1, event, to=user)
        user.native(10 * MS + slow_ns + n + 1)
    events = [one if shared else trace.lock("Event.wait", CALL) for _ in boards]
    asked = 10 * MS + slow_ns + 1000 if idle else 20 * MS
    for n, board in enumerate(boards):
        board.lock_wait(asked + n, "Event.wait", lock=events[n], site=CALL)
    at = 10 * MS + slow_ns + 100
    for n, board in enumerate(boards):
        thread, begin = threads[n % 2], at + n // 2 * 5 * MS
        thread.sleep(begin, site=STATUS)
        assert thread.state
        thread.state.args["stack"] = f"{STATUS}\n{TAKE}\n{RUN}"
        thread.native(begin + 4 * MS + n)
        thread.release(begin + 4 * MS + n + 1, events[n], to=board)
        board.native(begin + 4 * MS + n + 1)
    end = at + slow_ns + 100 * MS
    for thread in (*threads, *users, *boards):
        thread.end(end)
    return trace.ended(end + MS)


@pytest.mark.parametrize("takes", ["Queue.get", "Condition.wait"])
def test_requests_behind_slow_ones(tmp_path, takes):
    (found,) = find_in(tmp_path, workers(takes=takes))
    assert found.finding == "thread-pool starvation"
    assert found.text == (
        "Thread-pool starvation: all 2 workers of `job-N` are busy with `launch` (jobs.py:8), "
        "99 % of that time asleep in `launch` (jobs.py:8). Meanwhile 4 calls of `status` "
        "(jobs.py:12), submitted by 4 threads `board-N`, waited for a worker, 1.57 s in "
        "total, the longest 394 ms (at 20.0 ms). Run `launch` in a pool of its own, or give "
        "this one more workers."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"slow_ns": 100 * MS}, id="little is lost"),
        pytest.param({"quick": 1}, id="hardly anybody waits"),
        pytest.param({"shared": True}, id="an event for all is no answer"),
        pytest.param({"idle": True}, id="the workers are idle when they ask"),
    ],
)
@pytest.mark.parametrize("takes", ["Queue.get", "Condition.wait"])
def test_requests_that_are_served(tmp_path, story, takes):
    assert kinds(tmp_path, workers(takes=takes, **story)) == []


def commits(together=True, callers=8, rounds=3):
    """One thread answers several at once, who wait for the same work."""
    trace = TraceBuilder(argv="store.py", signals=SIGNALS)
    writer = trace.thread("writer").native(0)
    threads = [trace.thread(f"req-{n}").native(0) for n in range(callers)]
    queue, at = trace.lock("Queue.get", TAKE), MS
    for _ in range(rounds):
        writer.lock_wait(at, "Queue.get", lock=queue, site=TAKE)
        events = [trace.lock("Event.wait", CALL) for _ in threads]
        threads[0].release(at + MS, queue, to=writer)
        for thread, event in zip(threads, events, strict=True):
            thread.lock_wait(at + MS + 1, "Event.wait", lock=event, site=CALL)
        writer.native(at + MS).sleep(at + 2 * MS, site=LAUNCH)
        end = at + 60 * MS
        for thread, event in zip(threads, events, strict=True):
            writer.native(end)
            writer.release(end + 1, event, to=thread)
            thread.native(end + 1)
            if not together:
                writer.sleep(end + 2, site=LAUNCH)
            end += 1000 if together else 60 * MS
        writer.native(end)
        at = end + MS
    for thread in (writer, *threads):
        thread.end(at + MS)
    return trace.ended(at + 2 * MS)


def test_answers_that_come_together(tmp_path):
    assert kinds(tmp_path, commits()) == []


def test_answers_one_after_the_other(tmp_path):
    (found,) = find_in(tmp_path, commits(together=False))
    assert found.text.startswith(
        "Thread-pool starvation: the only worker of `writer` is busy with `launch` (jobs.py:8)"
    )
