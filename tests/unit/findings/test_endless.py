"""Jobs that go on after a time-out, and for which the program then waits all the same; `close`
of a library that does not end."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

RESULT, LEAVE = "/app/calls.py:18 fetch_all", "/app/calls.py:14 fetch_all"
LOOP_ENDS = "/usr/lib/python3.13/asyncio/base_events.py:623 BaseEventLoop._do_shutdown"
CALL = "/app/calls.py:8 call_api"
SHUTDOWN = "executor shutdown"


def calls(timed_out=True, more_ns=600 * MS, next_job=False, end=SHUTDOWN, by=""):
    """The main thread waits 300 ms for the result of a job, and then for the pool's end."""
    trace = TraceBuilder(argv="calls.py", signals=SIGNALS)
    main, worker = trace.thread("MainThread").native(0), trace.thread("pool_0")
    worker.runs(MS, "call_api", "/app/calls.py:7 call_api", by=main.submits(0))
    second = main.submits(2 * MS)
    result, ends = trace.lock("Future.result", RESULT), trace.lock(end, LEAVE)
    main.lock_wait(10 * MS, "Future.result", lock=result, site=RESULT, acquired=not timed_out)
    worker.sleep(MS, site=CALL)
    main.native(310 * MS)
    over = 320 * MS + more_ns
    if next_job:
        worker.native(311 * MS)
        worker.runs(312 * MS, "store", "/app/calls.py:30 store", by=second)
        worker.sleep(312 * MS, site="/app/calls.py:31 store")
    if end:
        main.lock_wait(320 * MS, end, lock=ends, site=LEAVE, stack=by, owner=worker)
        worker.native(over - MS).release(over, ends, to=main)
    worker.end(over)
    main.native(over).end(over + MS)
    return trace.ended(over + 2 * MS)


def test_a_time_out_that_only_moves_the_wait(tmp_path):
    found, *_ = find_in(tmp_path, calls())
    assert found.finding == "wait in vain"
    assert found.text == (
        "Waited in vain: `MainThread` in `fetch_all` (calls.py:18) gave up waiting for "
        "`call_api` (calls.py:7) after 300 ms, but the program then waited 600 ms in "
        "`executor shutdown` in `fetch_all` (calls.py:14) for it to end all the same (at "
        "320 ms), 99 % of that time asleep in `call_api` (calls.py:8). A time-out ends the "
        "wait, not the job: give what the job does a time-out of its own, or leave the pool "
        "with `shutdown(wait=False, cancel_futures=True)`."
    )
    assert (found.severity_ns, found.evidence.site) == (600 * MS, LEAVE)


def test_it_is_told_once(tmp_path):
    told = [one for one in find_in(tmp_path, calls()) if one.finding == "wait in vain"]
    assert len(told) == 1


def test_a_loop_that_ends_says_no_more(tmp_path):
    assert kinds(tmp_path, calls(by=LOOP_ENDS)) == ["wait in vain"]
    assert kinds(tmp_path, calls(timed_out=False, by=LOOP_ENDS)) == ["slow end"]


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"timed_out": False}, id="its result came"),
        pytest.param({"more_ns": 400 * MS}, id="not long"),
        pytest.param({"next_job": True}, id="the worker does something else"),
        pytest.param({"end": ""}, id="nobody waits for the end"),
    ],
)
def test_who_is_not_waited_for_twice(tmp_path, story):
    assert kinds(tmp_path, calls(**story)) == []


PACKAGES = "/venv/lib/python3.13/site-packages"
SERVER = f"{PACKAGES}/websockets/asyncio/server.py"
CLOSE = "/app/shop.py:29 main"
STACK = f"{PACKAGES}/asyncpg/pool.py:1092 Pool.close\n{CLOSE}"


def closes(ns=1_500 * MS, stack=STACK, follows=True, gives_up=True):
    """`main` closes a pool of which `follow` has a connection."""
    trace = TraceBuilder(argv="shop.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop = trace.loop(thread)
    main = loop.task("main", site="/app/shop.py:20 main").ready(0).running(MS)
    follow = loop.task("follow", site="/app/shop.py:10 follow").ready(0)
    lock = trace.lock("Event", CLOSE)
    main.awaits(MS + 1, "Event", site=CLOSE, stack=stack, lock=lock.id, acquired=not gives_up)
    loop.step(main, MS, MS + 1)
    end = MS + 1 + ns
    if follows:
        follow.running(MS // 2).awaits(MS // 2 + 1, "query (asyncpg)", site=CLOSE)
        loop.step(follow, MS // 2, MS // 2 + 1)
        follow.ready(3 * MS, waker="io").running(3 * MS)
        follow.awaits(3 * MS + 1, "sleep", site="/app/shop.py:14 follow")
        loop.step(follow, 3 * MS, 3 * MS + 1)
    main.ready(end, waker="timer" if gives_up else "io").running(end)
    main.done(end + 1, "cancelled" if gives_up else "done")
    loop.step(main, end, end + 1)
    follow.ready(end + MS, waker="timer").running(end + MS).done(end + MS + 1)
    loop.step(follow, end + MS, end + MS + 1)
    thread.end(end + 2 * MS)
    return trace.ended(end + 3 * MS)


def test_somebody_still_has_a_connection(tmp_path):
    (found,) = find_in(tmp_path, closes())
    assert (found.finding, found.severity_ns) == ("wait in vain", 1_500 * MS)
    assert found.text == (
        "Waited in vain: `main` in `main` (shop.py:29, via `Pool.close`) waited 1.50 s in "
        "`Pool.close` (asyncpg/pool.py:1092) (at 1.00 ms) and gave up. Meanwhile `follow`, "
        "which had used it, lived on, 99 % of that time asleep in `follow` (shop.py:14). "
        "Cancel and await its users before you close it."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 900 * MS}, id="a moment"),
        pytest.param({"gives_up": False}, id="it ends"),
        pytest.param({"stack": CLOSE}, id="no library closes"),
        pytest.param(
            {"stack": f"{SERVER}:439 Server.wait_closed\n{SERVER}:408 serve_forever\n{CLOSE}"},
            id="serves until it is closed",
        ),
        pytest.param(
            {"stack": f"{PACKAGES}/websockets/asyncio/connection.py:501 wait_closed\n{CLOSE}"},
            id="until the other side closes",
        ),
    ],
)
def test_other_waits(tmp_path, story):
    assert "wait in vain" not in kinds(tmp_path, closes(**story))


def sessions(count=3, ns=400 * MS, stack=STACK):
    """`main` opens and closes one client after the other, whose peer says nothing."""
    trace = TraceBuilder(argv="shop.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop, at = trace.loop(thread), MS
    main = loop.task("main", site="/app/shop.py:20 main").ready(0).running(at)
    lock = trace.lock("Event", CLOSE)
    for _ in range(count):
        main.awaits(at + 1, "Event", site=CLOSE, stack=stack, lock=lock.id, acquired=False)
        loop.step(main, at, at + 1)
        at += ns
        main.ready(at, waker="timer").running(at)
    loop.step(main, at, at + 1)
    main.done(at + 1)
    thread.end(at + MS)
    return trace.ended(at + 2 * MS)


def test_each_client_takes_its_time_to_close(tmp_path):
    found = next(one for one in find_in(tmp_path, sessions()) if "Pool.close" in one.text)
    assert (found.finding, found.severity_ns) == ("wait in vain", 3 * 400 * MS - 3)
    assert "(at 1.00 ms) and gave up, 3 times, 1.20 s in total." in found.text


@pytest.mark.parametrize("story", [{"count": 2}, {"ns": 240 * MS}, {"stack": CLOSE}])
def test_clients_that_close_soon(tmp_path, story):
    said = [one.text for one in find_in(tmp_path, sessions(**story))]
    assert not any("in `Pool.close`" in text for text in said)
