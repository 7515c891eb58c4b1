"""Threads that take jobs from a queue and have no time for more, while others come."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

TAKE, SHOP = "/app/jobs.py:20 work", "/app/jobs.py:30 shop"
SLOW, QUICK = "/app/jobs.py:5 deliver", "/app/jobs.py:9 receipt"
RUN = "/lib/python3.13/threading.py:992 Thread.run"


def jobs(
    rounds=4, slow_ns=400 * MS, quick_ns=4 * MS, producers=1, rests=0, batch="", pauses=20,
    first="worker-0", take=TAKE,
):  # fmt: skip
    """Two workers wait for a first job each, then do slow ones and quick ones in turn;
    `rests`: the second one waits for a job before that round. A producer sleeps between two
    puts, so many times, unless it waits for the workers."""
    trace = TraceBuilder(argv="jobs.py", signals=SIGNALS)
    workers = [trace.thread(name).native(0) for name in (first, "worker-1")]
    shops = [trace.thread(f"shop-{n}").native(0) for n in range(producers)]
    queue = trace.lock("Queue.get", TAKE)
    for n, worker in enumerate(workers):
        worker.lock_wait(MS + n, "Queue.get", lock=queue, site=take)
        shops[n % producers].release(10 * MS + n, queue, to=worker)
    end = 10 * MS
    for turn in range(rounds):
        for n, worker in enumerate(workers):
            at = 11 * MS + turn * (slow_ns + quick_ns + 2 * MS) + n
            if rests and n and turn == rests:
                worker.lock_wait(at, "Queue.get", lock=queue, site=TAKE)
            else:
                worker.io(at, "socket.recv", site=SLOW, stack=f"{SLOW}\n{TAKE}\n{RUN}")
            worker.native(at + slow_ns)
            if quick_ns:
                worker.io(
                    at + slow_ns + MS, "send", site=QUICK, stack=f"{QUICK}\n{TAKE}\n{RUN}"
                )
                worker.native(at + slow_ns + MS + quick_ns)
            end = at + slow_ns + quick_ns + MS
    for n, shop in enumerate(shops):
        for turn in range(pauses if not batch else 0):
            shop.sleep(20 * MS + turn * 50 * MS + n, site=SHOP).native(
                65 * MS + turn * 50 * MS
            )
        if batch:
            wait = trace.lock(batch, SHOP)
            shop.lock_wait(20 * MS, batch, lock=wait, site=SHOP).native(end)
    for thread in (*workers, *shops):
        thread.end(max(end, 1_100 * MS) + MS)
    return trace.ended(max(end, 1_100 * MS) + 2 * MS)


def test_the_main_thread_does_something_else_then(tmp_path):
    """It has taken a job before, and looks for no more."""
    assert kinds(tmp_path, jobs(first="MainThread")) == []


def test_a_pool_of_processes_takes_what_comes(tmp_path):
    """Its thread runs the generator that a program gives to `imap`, which sleeps."""
    take = "/usr/lib/python3.13/multiprocessing/pool.py:527 Pool._handle_tasks"
    assert kinds(tmp_path, jobs(take=take)) == []


def test_short_jobs_behind_slow_ones(tmp_path):
    (found,) = find_in(tmp_path, jobs())
    assert found.finding == "thread-pool starvation"
    assert found.text == (
        "Thread-pool starvation: 2 threads `worker-N`, which take jobs from a queue, are all "
        "busy with `deliver` (jobs.py:5), 99 % of that time in `socket.recv` in `deliver` "
        "(jobs.py:5): for 1.62 s (at 11.0 ms) none looked for another one, while `shop-0` "
        "went on and put more into it; `receipt` (jobs.py:9), which is short, waits behind "
        "it. Give `deliver` a queue and workers of its own, or start more threads."
    )
    assert found.evidence.site == SLOW


def test_equal_jobs_of_several_producers(tmp_path):
    (found,) = find_in(tmp_path, jobs(quick_ns=0, producers=2))
    assert "while 2 threads `shop-N` went on and put more into it. Give" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"rests": 2}, id="a worker has nothing to do now and then"),
        pytest.param({"quick_ns": 0}, id="a pipeline"),
        pytest.param({"quick_ns": 100 * MS}, id="the other jobs are not short"),
        pytest.param({"batch": "Queue.join"}, id="a batch"),
        pytest.param({"pauses": 5}, id="nobody puts more into it"),
        pytest.param({"rounds": 2}, id="a short time"),
        pytest.param({"slow_ns": 2 * MS, "quick_ns": MS, "rounds": 20}, id="short jobs"),
    ],
)
def test_workers_that_keep_up(tmp_path, story):
    assert kinds(tmp_path, jobs(**story)) == []
