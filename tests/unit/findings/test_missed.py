"""Wake-ups that nobody sent: an end that others wait for, and a lock that keeps them away."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

GET, STOP = "/app/pool.py:9 work", "/app/pool.py:20 stop"
ITS_GET = "/venv/lib/python3.13/site-packages/tasks/worker.py:9 work"
ITS_STOP = "/venv/lib/python3.13/site-packages/tasks/worker.py:20 stop"
ASK, FIRE = "/app/bus.py:7 ask", "/app/bus.py:12 fire"


def stopped_pool(got=1, joined_at=300 * MS, sleeps="Queue.get", frame="", get=GET, stop=STOP):
    """A worker gets `got` jobs, then waits for a second; `main` joins it meanwhile."""
    trace = TraceBuilder(argv="pool.py", signals=SIGNALS)
    worker, main = trace.thread("worker-0").native(0), trace.thread("MainThread").native(0)
    jobs, end = trace.lock(sleeps, get), trace.lock("Thread.join", stop)
    stack = f"{frame}\n{get}" if frame else get
    for n in range(got):
        at = (10 + 20 * n) * MS
        worker.lock_wait(at, sleeps, lock=jobs, site=get)
        main.release(at + 10 * MS, jobs, to=worker)
        worker.native(at + 10 * MS)
    worker.lock_wait(100 * MS, sleeps, lock=jobs, site=get, acquired=False, stack=stack)
    main.lock_wait(joined_at, "Thread.join", lock=end, owner=worker, site=stop, stack=stop)
    worker.native(1_100 * MS).release(1_101 * MS, end, to=main).end(1_101 * MS)
    main.native(1_101 * MS).end(1_110 * MS)
    return trace.ended(1_111 * MS)


def test_a_worker_that_is_not_woken_to_end(tmp_path):
    (found,) = find_in(tmp_path, stopped_pool())
    assert (found.finding, found.severity_ns) == ("missed wake-up", 801 * MS)
    assert found.text == (
        "Missed wake-up: `worker-0` slept in `Queue.get` in `work` (pool.py:9) until its "
        "time-out of 1.00 s, though `MainThread` in `stop` (pool.py:20) waited for its end: "
        "801 ms lost in 1 wait, the longest 801 ms (at 300 ms). Wake it (`notify`, `set`, "
        "`put`) when it is to end."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"got": 0}, id="nobody ever woke it: it waited for something else"),
        pytest.param({"joined_at": 700 * MS}, id="little is lost"),
        pytest.param(
            {"frame": "/usr/lib/python3.13/threading.py:1400 Timer.run"}, id="a timer sleeps"
        ),
        pytest.param({"get": ITS_GET, "stop": ITS_STOP}, id="a library ends its own workers"),
    ],
)
def test_ends_that_nobody_has_to_hurry(tmp_path, story):
    assert "missed wake-up" not in kinds(tmp_path, stopped_pool(**story))


@pytest.mark.parametrize("story", [{"get": ITS_GET}, {"stop": ITS_STOP}])
def test_the_program_ends_a_worker_of_a_library_or_the_other_way_round(tmp_path, story):
    assert "missed wake-up" in kinds(tmp_path, stopped_pool(**story))


def callback_under_a_lock(is_over=True, waits="RLock"):
    """One thread waits for an answer under a lock for which who has the answer waits; `main`
    waits for the first one."""
    trace = TraceBuilder(argv="bus.py", signals=SIGNALS)
    asks, other = trace.thread("incoming-0").native(0), trace.thread("incoming-1").native(0)
    main = trace.thread("MainThread").native(0)
    answer, lock = trace.lock("Event.wait", ASK), trace.lock(waits, FIRE)
    done = trace.lock("Event.wait", "/app/bus.py:30 main")
    asks.lock_wait(10 * MS, "Event.wait", lock=answer, site=ASK, acquired=False)
    main.lock_wait(10 * MS, "Event.wait", lock=done, site="/app/bus.py:30 main")
    if waits == "RLock":
        lock.hold(5 * MS, 1_010 * MS, asks, FIRE)
    other.lock_wait(50 * MS, waits, lock=lock, owner=asks, site=FIRE, acquired=is_over)
    asks.native(1_009 * MS).release(1_010 * MS, done, to=main)
    if is_over:
        asks.release(1_010 * MS, lock, to=other)
        other.native(1_010 * MS).end(1_020 * MS)
    asks.end(1_020 * MS)
    main.native(1_010 * MS).end(1_020 * MS)
    return trace.ended(1_020 * MS)


@pytest.mark.parametrize("is_over", [True, False])
def test_who_could_wake_it_waits_for_its_lock(tmp_path, is_over):
    (found,) = find_in(tmp_path, callback_under_a_lock(is_over))
    assert found.finding == "deadlock"
    assert "`incoming-0` slept in `Event.wait` in `ask` (bus.py:7)" in found.text
    assert "a lock for which `incoming-1` in `fire` (bus.py:12) waited" in found.text


LOOKS, ENQUEUES = "/app/jobs.py:19 wait_for_notice", "/app/jobs.py:36 enqueue"
NOTIFIES = "/venv/lib/python3.13/site-packages/psycopg/connection.py:414 Connection.notifies"


def noticed(
    pieces=6, piece_ns=100 * MS, timed_out=True, fd=3, late_ns=MS, waits="Event.wait",
    frame="", times=1, looped=False, looks=LOOKS,
):  # fmt: skip
    """`worker` looks for data in pieces; then it ends the wait of `main`, which began soon
    after it had begun to look."""
    trace = TraceBuilder(argv="jobs.py", signals=SIGNALS)
    worker, main = trace.thread("worker").native(0), trace.thread("MainThread").native(0)
    if looped:
        trace.loop(worker).callback("poll", "/app/jobs.py:1 poll", 1, 2)
    done, at = trace.lock(waits, ENQUEUES), 10 * MS
    stack = f"{frame}\n{ENQUEUES}" if frame else ENQUEUES
    for _ in range(times):
        begun = at
        for n in range(pieces):
            gone, stack_of = timed_out or n < pieces - 1, f"{NOTIFIES}\n{looks}"
            worker.io(at, "poll", site=looks, stack=stack_of, fd=fd, timed_out=gone)
            if not n:
                main.lock_wait(begun + 10 * MS, waits, lock=done, site=ENQUEUES, stack=stack)
            at += piece_ns
            worker.native(at)
            at += 10_000
        at += late_ns
        worker.release(at, done, to=main)
        main.native(at)
        at += MS
    worker.end(at)
    main.end(at + MS)
    return trace.ended(at + 2 * MS)


def test_nothing_comes_though_there_is_something_to_do(tmp_path):
    (found,) = find_in(tmp_path, noticed())
    assert (found.finding, found.severity_ns) == ("missed wake-up", 591_060_000)
    assert found.text == (
        "Missed wake-up: `worker` slept in `poll` in `wait_for_notice` (jobs.py:19, via "
        "`Connection.notifies`) until its time-out of 600 ms, though `MainThread` in "
        "`enqueue` (jobs.py:36) waited for it: 591 ms lost in 1 wait, the longest 591 ms (at "
        "20.0 ms). Wake it (a byte through a pipe, a `NOTIFY` that is committed) when there "
        "is something to do."
    )


def test_one_look_at_a_time(tmp_path):
    (found,) = find_in(tmp_path, noticed(pieces=1, piece_ns=300 * MS, times=2))
    assert found.finding == "missed wake-up"
    assert "time-out of 300 ms" in found.text
    assert "in 2 waits" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"timed_out": False}, id="data came in the end"),
        pytest.param({"fd": -1}, id="a sleep"),
        pytest.param({"late_ns": 60 * MS}, id="it did something else first"),
        pytest.param({"waits": "Queue.get"}, id="whoever has nothing to do"),
        pytest.param({"pieces": 4}, id="little is lost"),
        pytest.param({"looped": True}, id="a loop"),
        pytest.param(
            {"looks": "/venv/lib/python3.13/site-packages/gevent/hub.py:647 Hub.run"},
            id="a job of gevent's pool sleeps",
        ),
        pytest.param(
            {"frame": "/usr/lib/python3.13/socketserver.py:253 BaseServer.shutdown"},
            id="a server looks whether to stop",
        ),
    ],
)
def test_looks_that_nobody_has_to_end(tmp_path, story):
    assert "missed wake-up" not in kinds(tmp_path, noticed(**story))


WRITES, SAVES = "/app/store.py:23 writer", "/app/store.py:34 save"


def saves(rounds=2, asks_ns=50 * MS, pause_ns=500 * MS, alike=True, by="request"):
    """`writer` is busy for 150 ms with what a request gave it; another one asks meanwhile, and
    the next request wakes the writer, which then serves both."""
    trace = TraceBuilder(argv="store.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, at = trace.loop(thread), 10 * MS
    writer = loop.task("writer", site="/app/store.py:20 writer").ready(0).running(0)
    dirty = trace.lock("Event", WRITES)
    writer.awaits(MS, "Event", lock=dirty.id, site=WRITES)
    pending = []
    for n in range(rounds + 1):
        task = loop.task(by, site="/app/store.py:30 request").ready(at - 10).running(at - 9)
        writer.ready(at, by=task).running(at + 1)
        task.awaits(at + 2, "future", site=SAVES if alike else "/app/store.py:40 other")
        pending.append(task)
        writer.awaits(at + 10, "sleep", site="/app/store.py:15 commit")
        if n < rounds:
            late = loop.task("request", site="/app/store.py:30 request")
            late.ready(at + asks_ns - 10).running(at + asks_ns - 9)
            late.awaits(at + asks_ns, "future", site=SAVES)
        at += 150 * MS
        writer.ready(at, waker="timer").running(at)
        for place, one in enumerate(pending):
            one.ready(at + place, by=writer).running(at + 100 + place).done(at + 200 + place)
        pending = [late]
        writer.awaits(at + 300, "Event", lock=dirty.id, site=WRITES)
        at += pause_ns
    writer.ready(at, waker="timer").running(at).done(at + 1)
    thread.end(at + MS)
    return trace.ended(at + MS)


def test_a_pulse_that_came_while_the_writer_was_busy(tmp_path):
    (found,) = find_in(tmp_path, saves())
    assert found.finding == "missed wake-up"
    assert found.text == (
        "Missed wake-up: `writer` waited in `Event` in `writer` (store.py:23) until the next "
        "one woke it, though 2 tasks `request` in `save` (store.py:34) had asked before and "
        "waited for it: 1.00 s lost in 2 waits, the longest 500 ms (at 160 ms). It was busy "
        "when they woke it."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"rounds": 1, "pause_ns": 400 * MS}, id="little is lost"),
        pytest.param({"pause_ns": 150 * MS}, id="mostly it works"),
        pytest.param({"asks_ns": 151 * MS}, id="they came when it waited: it is not for them"),
        pytest.param({"alike": False}, id="who wakes it asks for something else"),
    ],
)
def test_who_is_woken_in_time_or_by_others(tmp_path, story):
    assert "missed wake-up" not in kinds(tmp_path, saves(**story))
