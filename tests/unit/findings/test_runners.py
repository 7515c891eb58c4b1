"""Workers of libraries that run jobs: all of them taken, and more jobs wait."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

PACKAGES = "/venv/lib/python3.13/site-packages"
THREAD = "/usr/lib/python3.13/threading.py:992 Thread.run"
COUNT, ENCODE = "/app/beans.py:25 count", "/app/media.py:16 encode"
LOOP = f"{PACKAGES}/huey/consumer.py:132 Worker.loop\n{THREAD}"
GET = f"{PACKAGES}/huey/api.py:1259 Result.get"
RUN = f"{PACKAGES}/dramatiq/worker.py:534 WorkerThread.run\n{THREAD}"
TAKES = f"{PACKAGES}/dramatiq/brokers/stub.py:220 _StubConsumer.__next__"
FETCH = f"{TAKES}\n{PACKAGES}/dramatiq/worker.py:314 ConsumerThread.run\n{THREAD}"


def sleeps(thread, at, site, stack):
    return thread.enter(at, "sleep", "sleep", {"site": site, "stack": stack})


def beans(asking=2, pieces=12, within="api.py", pause_ns=MS, gaps=0):
    """Two workers of huey are in `count`; so many of them ask for a result all the time, or
    the second one but for one in so many pieces."""
    trace = TraceBuilder(argv="beans.py", signals=SIGNALS)
    ask = f"{GET.replace('api.py', within)}\n{COUNT}\n{LOOP}"
    end = 10 * MS + pieces * 60 * MS
    for n in range(2):
        worker = trace.thread(f"Worker-{n + 1}").native(0)
        for piece, at in enumerate(range(10 * MS, end, 60 * MS), 1):
            if gaps and n and piece % gaps == 0:
                continue
            stack = ask if n < asking else f"{COUNT}\n{LOOP}"
            sleeps(worker, at, COUNT, stack).native(at + 60 * MS - pause_ns)
        worker.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_jobs_that_wait_for_jobs_now_and_then(tmp_path):
    """The longest time counts in which all of them ask, not the sum."""
    assert kinds(tmp_path, beans(pieces=40, gaps=5)) == []
    (found,) = find_in(tmp_path, beans(pieces=40, gaps=13))
    assert "for 719 ms" in found.text


def test_jobs_that_wait_for_jobs(tmp_path):
    (found,) = find_in(tmp_path, beans())
    assert found.finding == "thread-pool starvation"
    assert found.text == (
        "Thread-pool starvation: all 2 workers of huey, `Worker-1` and `Worker-2`, are in "
        "`count` (beans.py:25), which waits for the result of another task: for 719 ms (at "
        "10.0 ms) no worker of this process was left to run it. Do not wait for a task "
        "within a task: let the second one begin what follows, or give it a queue and "
        "workers of its own."
    )
    assert found.severity_ns == 2 * 719 * MS


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"asking": 1}, id="one worker is left"),
        pytest.param({"pieces": 8}, id="less than half a second"),
        pytest.param({"within": "mine.py"}, id="no question for a result"),
        pytest.param({"pause_ns": 30 * MS}, id="something else in between"),
    ],
)
def test_jobs_that_wait_for_something_else(tmp_path, story):
    assert kinds(tmp_path, beans(**story)) == []


def media(job_ns=500 * MS, jobs=3, held=True, free=False):
    """Two workers of dramatiq do jobs; a third thread may fetch no more for them."""
    trace = TraceBuilder(argv="media.py", signals=SIGNALS)
    fetcher = trace.thread("Thread-1").native(0)
    workers = [trace.thread(f"Thread-{n}").native(0) for n in (2, 3)]
    permit, queue = trace.lock("Semaphore", TAKES), trace.lock("Queue.get", RUN)
    end = 10 * MS + job_ns * jobs
    for at in range(10 * MS, end, 50 * MS):
        if held:
            fetcher.lock_wait(
                at, "Semaphore", lock=permit, site=TAKES, stack=FETCH, acquired=False
            )
            fetcher.native(at + 50 * MS - 1000)
    for worker in workers:
        for at in range(10 * MS, end, job_ns):
            sleeps(worker, at, ENCODE, f"{ENCODE}\n{RUN}").native(at + job_ns - 5 * MS)
            if free and worker is workers[1]:
                worker.lock_wait(
                    at + job_ns - 5 * MS, "Queue.get", lock=queue, site=ENCODE, stack=RUN
                )
                worker.native(at + job_ns - MS)
    for thread in (fetcher, *workers):
        thread.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_messages_that_wait_for_a_worker(tmp_path):
    (found,) = find_in(tmp_path, media())
    assert found.finding == "thread-pool starvation"
    assert found.text == (
        "Thread-pool starvation: all 2 workers of dramatiq, `Thread-2` and `Thread-3`, are "
        "busy with `encode` (media.py:16), 99 % of that time asleep in `encode` "
        "(media.py:16): for 1.50 s (at 10.0 ms) none was free. `Thread-1` had as many "
        "messages as it may take and asked for no more meanwhile: the others wait for a "
        "worker. Give `encode` a queue and workers of its own, or start more threads."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"held": False}, id="nothing says that more wait"),
        pytest.param({"free": True}, id="a worker waits for work in between"),
        pytest.param({"jobs": 1}, id="one long job"),
        pytest.param({"job_ns": 100 * MS, "jobs": 15}, id="a burst of short ones"),
    ],
)
def test_messages_that_find_a_worker(tmp_path, story):
    assert kinds(tmp_path, media(**story)) == []


VIEW = "/app/views.py:9 make"


def views(asking=5, within="api.py", job_ns=300 * MS, rest_ns=0):
    """Two workers of huey do jobs; so many views ask for their results, again and again."""
    trace = TraceBuilder(argv="views.py", signals=SIGNALS)
    ask = f"{GET.replace('api.py', within)}\n{VIEW}\n{THREAD}"
    end = 10 * MS + 5 * job_ns
    for n in range(2):
        worker = trace.thread(f"Worker-{n + 1}").native(0)
        for at in range(10 * MS, end, job_ns):
            sleeps(worker, at, ENCODE, f"{ENCODE}\n{LOOP}").native(
                at + job_ns - rest_ns - 1000
            )
            if rest_ns:
                sleeps(worker, at + job_ns - rest_ns, "", LOOP).native(at + job_ns - 1000)
        worker.end(end + MS)
    for n in range(asking):
        view = trace.thread(f"view-{n}").native(0)
        for at in range(10 * MS, end, 50 * MS):
            sleeps(view, at, VIEW, ask).native(at + 49 * MS)
        view.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_more_wait_for_results_than_there_are_workers(tmp_path):
    (found,) = find_in(tmp_path, views())
    assert found.finding == "thread-pool starvation"
    assert found.text == (
        "Thread-pool starvation: all 2 workers of huey, `Worker-1` and `Worker-2`, are busy "
        "with `encode` (media.py:16), 99 % of that time asleep in `encode` (media.py:16): for "
        "1.50 s (at 10.0 ms) none was free. Meanwhile 5 threads `view-N` waited for the "
        "results of tasks in `make` (views.py:9): more than there are workers, which cost "
        "them 4.50 s in all. Give `encode` a queue and workers of its own, or start more "
        "threads."
    )
    assert 4_495 * MS <= found.severity_ns < 4_500 * MS


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"asking": 2}, id="one for each worker"),
        pytest.param({"within": "mine.py"}, id="no question for a result"),
        pytest.param({"job_ns": 150 * MS}, id="for less than a second"),
        pytest.param({"rest_ns": 20 * MS}, id="a worker is free in between"),
    ],
)
def test_results_that_come_as_soon_as_they_can(tmp_path, story):
    assert kinds(tmp_path, views(**story)) == []
