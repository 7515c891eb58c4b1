"""Pools whose workers wait for a job in their own queue."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

WAIT, LOAD = "/app/jobs.py:11 wait_for_config", "/app/jobs.py:14 load_config"


def pool(
    workers=2, waiting=2, ns=1_200 * MS, queued=True, gives_up=True, late_ns=0, alike=False
):
    """The workers wait for an event; `load_config` is queued behind them."""
    trace = TraceBuilder(argv="jobs.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    event = trace.lock("Event.wait", WAIT)
    threads = [trace.thread(f"jobs_{n}") for n in range(workers)]
    for n, thread in enumerate(threads):
        submit = main.submits(MS + n)
        thread.native(2 * MS).runs(2 * MS + n, "wait_for_config", WAIT, by=submit)
    behind = main.submits(3 * MS + late_ns) if queued else None
    end = 4 * MS + ns
    for n, thread in enumerate(threads):
        if n < waiting:
            thread.lock_wait(
                4 * MS + n, "Event.wait", lock=event, site=WAIT, acquired=not gives_up
            )
        thread.native(end + n * MS)
    if behind is None:
        behind = main.submits(end)
    job = ("wait_for_config", WAIT) if alike else ("load_config", LOAD)
    threads[0].runs(end + MS, *job, by=behind)
    for thread in (*threads, main):
        thread.end(end + 5 * MS)
    return trace.ended(end + 6 * MS)


def test_all_workers_wait_for_what_is_queued(tmp_path):
    found, *_ = find_in(tmp_path, pool())
    assert found.finding == "deadlock"
    assert found.text == (
        "Deadlock at 4.00 ms, for 1.20 s: all 2 workers of `jobs` wait in `Event.wait` in "
        "`wait_for_config` (jobs.py:11), while `load_config` (jobs.py:14) is queued in the "
        "same pool; it began when they had given up. If they wait for what it does, it needs "
        "a pool of its own, or must be submitted first."
    )


def test_what_they_wait_for_comes_later(tmp_path):
    found, *_ = find_in(tmp_path, pool(late_ns=100 * MS))
    assert found.finding == "deadlock"
    assert "while `load_config` (jobs.py:14) is queued in the same pool" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"waiting": 1}, id="another worker is free"),
        pytest.param({"ns": 300 * MS}, id="not for long"),
        pytest.param({"queued": False}, id="it was submitted later"),
        pytest.param({"late_ns": 900 * MS}, id="it was not queued for long"),
        pytest.param({"alike": True}, id="it would wait as they do"),
        pytest.param({"gives_up": False}, id="they are woken"),
    ],
)
def test_pools_that_go_on(tmp_path, story):
    assert "deadlock" not in kinds(tmp_path, pool(**story))


GATE, READ = "/app/web.py:9 handle", "/app/web.py:21 read_item"


def slots(times=2, ns=600 * MS, gives_up=True, others=True, between=False, ends=MS):
    """`reader` has the slot while it waits in a queue; `web` gets one when it gives up."""
    trace = TraceBuilder(argv="web.py", signals=SIGNALS)
    reader, other = trace.thread("reader").native(0), trace.thread("other").native(0)
    web = [trace.thread(f"web-{n}").native(0) for n in range(times)]
    gate, items = trace.lock("Semaphore", GATE), trace.lock("Queue.get", READ)
    for n, thread in enumerate(web if others else ()):
        thread.lock_wait(MS + n, "Semaphore", lock=gate, site=GATE)
    at = 2 * MS
    for thread in web:
        reader.lock_wait(at, "Queue.get", lock=items, site=READ, acquired=not gives_up)
        if others and between:
            other.release(at + ns // 2, gate, to=thread)
            thread.native(at + ns // 2)
        at += ns
        if not gives_up:
            other.release(at, items, to=reader)
        reader.native(at)
        if others and not between:
            reader.release(at + ends, gate, to=thread)
            thread.native(at + ends)
        at += 2 * ends
    for thread in (reader, other, *web):
        thread.end(at + MS)
    return trace.ended(at + 2 * MS)


def test_who_has_a_slot_waits_for_who_needs_one(tmp_path):
    found, *_ = find_in(tmp_path, slots())
    assert found.finding == "deadlock"
    assert found.text == (
        "Deadlock at 2.00 ms, for 1.20 s: nobody got a permit of a `Semaphore` in `handle` "
        "(web.py:9) (2 waits, 1.80 s) until a wait in `Queue.get` in `read_item` (web.py:21) "
        "was given up, 2 times, the longest 600 ms. Whoever waits there has a permit: if it "
        "waits for what those do who need one, these need other permits."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 400 * MS}, id="not for long"),
        pytest.param({"gives_up": False}, id="it got what it waited for"),
        pytest.param({"others": False}, id="nobody needs a slot"),
        pytest.param({"between": True}, id="another one gave a slot back"),
        pytest.param({"ends": 200 * MS}, id="it had something else to do before"),
    ],
)
def test_slots_that_are_given_back(tmp_path, story):
    assert "deadlock" not in kinds(tmp_path, slots(**story))


def engine(starts=100 * MS, by_it=True, ns=1_200 * MS):
    """`worker` has the only connection and awaits an event, in vain; `admin` comes later."""
    trace = TraceBuilder(argv="db.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, end = trace.loop(thread), 10 * MS + ns
    worker, admin, other = (
        loop.task(name, name=name, site=f"/app/db.py:3 {name}")
        for name in ("worker", "admin", "other")
    )
    go, pool = trace.lock("Event", WAIT), trace.lock("connection pool (sqlalchemy)", GATE)
    worker.ready(0).running(1).awaits(
        10 * MS, "Event", acquired=False, lock=go.id, site="/app/db.py:9 wait_for_go"
    )
    other.ready(0).running(2).awaits(3, "sleep", site="/app/db.py:30 other")
    admin.ready(4).running(starts).awaits(
        starts, "connection pool (sqlalchemy)", lock=pool.id, site="/app/db.py:20 release"
    )
    other.ready(end, waker="timer").running(end)
    worker.ready(end, waker="timer").running(end)
    admin.ready(end + MS, by=worker if by_it else other).running(end + MS).done(end + 2 * MS)
    for task in (worker, other):
        task.done(end + 2 * MS)
    thread.end(end + 3 * MS)
    return trace.ended(end + 4 * MS)


def test_whoever_needs_a_connection_comes_later(tmp_path):
    found, *_ = find_in(tmp_path, engine())
    assert found.finding == "deadlock"
    assert found.text == (
        "Deadlock at 10.0 ms, for 1.20 s: nobody got a connection of SQLAlchemy's pool in "
        "`release` (db.py:20) (1 wait, 1.11 s) until a wait in `Event` in `wait_for_go` "
        "(db.py:9) was given up, 1 time, the longest 1.20 s. Whoever waits there has a "
        "connection: if it waits for what those do who need one, these need other connections."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"starts": 900 * MS}, id="nobody needed one for most of it"),
        pytest.param({"by_it": False}, id="another one gave it back"),
        pytest.param({"ns": 400 * MS}, id="not for long"),
    ],
)
def test_connections_of_others(tmp_path, story):
    assert "deadlock" not in kinds(tmp_path, engine(**story))


CALL, TAKE = "/app/pool.py:11 call", "/app/pool.py:7 work"


def takers(ns=900 * MS, asked_at=CALL, idle=0, acquired=False):
    """Two threads take a job of two callers each, and wait in `call` themselves; `idle`: a
    third one has nothing to do."""
    trace = TraceBuilder(argv="pool.py", signals=SIGNALS)
    jobs, end = trace.lock("Queue.get", TAKE), 20 * MS + ns
    threads = [trace.thread(f"io-{n}") for n in range(2 + idle)]
    callers = [trace.thread(f"req-{n}").native(0) for n in range(2)]
    last, other = end + 100 * MS, trace.thread("other").native(0)
    for thread in threads:
        thread.lock_wait(0, "Queue.get", lock=jobs, site=TAKE)
    for n, caller in enumerate(callers):
        answer = trace.lock("Event.wait", asked_at)
        caller.release(10 * MS + n, jobs, to=threads[n])
        threads[n].native(10 * MS + n)
        caller.lock_wait(11 * MS, "Event.wait", lock=answer, site=asked_at, acquired=False)
        own = trace.lock("Event.wait", CALL)
        threads[n].lock_wait(20 * MS, "Event.wait", lock=own, site=CALL, acquired=acquired)
        if acquired:
            other.release(end, own, to=threads[n])
        threads[n].native(end)
        caller.native(end + MS).end(last)
    for thread in threads:
        thread.end(last)
    other.end(last)
    return trace.ended(last + MS)


def test_takers_that_ask_themselves(tmp_path):
    found = find_in(tmp_path, takers())[0]
    assert found.finding == "deadlock"
    assert found.text == (
        "Deadlock at 20.0 ms, for 900 ms: 2 threads `io-N`, which take jobs from a queue, all "
        "wait in `Event.wait` in `call` (pool.py:11), at the line at which others wait for "
        "them: for jobs that only they would run. Call the function instead, or give such "
        "jobs workers of their own."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 400 * MS}, id="not long"),
        pytest.param({"idle": 1}, id="one has nothing to do"),
        pytest.param({"asked_at": "/app/web.py:3 get"}, id="they wait for something else"),
        pytest.param({"acquired": True}, id="it came"),
    ],
)
def test_takers_that_go_on(tmp_path, story):
    assert not any("take jobs" in one.text for one in find_in(tmp_path, takers(**story)))
