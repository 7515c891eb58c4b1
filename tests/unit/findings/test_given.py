"""What somebody was given before a wait: a coroutine by a thread, or something to do, or
nothing, so that it is a pause."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

EXPORT, LOCKED = "/app/store.py:18 export", "/app/store.py:24 sync_all"


def store(wants_lock=True, two=False, ns=600 * MS, anyio=False):
    """`sync_all` has a lock and awaits a job, which waits for `snapshot`, a coroutine that it
    gave to the loop; `wants_lock`: that wants the lock. `two`: another task began with it.
    `anyio`: the job is not in the trace, but its thread wakes `sync_all`."""
    trace = TraceBuilder(argv="store.py", signals=SIGNALS)
    main, worker = trace.thread("MainThread").running(0), trace.thread("asyncio_0")
    worker.native(0)
    loop, lock = trace.loop(main), trace.lock("asyncio.Lock", LOCKED)
    sync = loop.task("sync_all", site="/app/store.py:23 sync_all").ready(0).running(1)
    submitted = sync.state  # what it submits, it does at some time in this step
    sync.awaits(MS, "executor", site="/app/store.py:25 sync_all")
    loop.step(sync, 1, MS)
    if not anyio:
        worker.runs(3 * MS, "export", "/app/store.py:15 export", by=submitted)
    wake, end = worker.wakes(9 * MS), 20 * MS + ns
    result = trace.lock("Future.result", EXPORT)
    worker.lock_wait(10 * MS, "Future.result", lock=result, site=EXPORT, acquired=False)
    loop.callback("callback", "/lib/asyncio/tasks.py:1 callback", 11 * MS, 12 * MS, by=wake)
    tasks = [loop.task("snapshot", site="/app/store.py:11 snapshot").ready(11 * MS + 5)]
    if two:
        tasks.append(loop.task("other", site="/app/store.py:40 other").ready(11 * MS + 6))
    for n, task in enumerate(tasks):
        start = (13 + n) * MS
        task.running(start)
        if wants_lock and not n:
            task.awaits(
                start + MS, "Lock", lock=lock.id, site="/app/store.py:12 snapshot",
                owner_task=sync.id, owner_name="sync_all",
            )  # fmt: skip
        else:
            task.awaits(start + MS, "sleep", site="/app/store.py:13 snapshot")
        loop.step(task, start, start + MS)
    lock.hold(10, end + MS, sync, LOCKED)
    worker.native(end)
    if anyio:
        sync.ready(end + MS, by=worker.wakes(end + MS - 5), waker_thread=worker.tid)
    worker.end(end + 3 * MS)
    main.io(16 * MS, "select.epoll.poll").running(end).end(end + 2 * MS)
    return trace.ended(end + 3 * MS)


def test_a_coroutine_that_wants_the_lock_of_whoever_awaits_the_thread(tmp_path):
    found, *_ = find_in(tmp_path, store())
    assert found.finding == "deadlock"
    assert found.text == (
        "Deadlock at 14.0 ms, for 606 ms: `sync_all` in `sync_all` (store.py:25) waits for "
        "`export` (store.py:15), which `asyncio_0` runs; `asyncio_0` in `export` "
        "(store.py:18) waits for `snapshot`, which it gave to the loop; `snapshot` in "
        "`snapshot` (store.py:12) waits for the lock that `sync_all` holds, acquired at "
        "store.py:24. Release the lock before waiting."
    )


def test_a_job_of_anyio(tmp_path):
    found, *_ = find_in(tmp_path, store(anyio=True))
    assert found.finding == "deadlock"
    assert "`sync_all` in `sync_all` (store.py:25) waits for a job, which" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"wants_lock": False}, id="it waits for something else"),
        pytest.param({"wants_lock": False, "anyio": True}, id="a job of anyio that does"),
        pytest.param({"two": True}, id="which task is not known"),
        pytest.param({"ns": 30 * MS}, id="soon given up"),
    ],
)
def test_coroutines_of_threads_that_go_on(tmp_path, story):
    assert "deadlock" not in kinds(tmp_path, store(**story))


def given(ns=1_200 * MS, how="failed: SystemExit", ends=True, before=0):
    """`MainThread` waits for `load`, which it gave to the loop of a thread and which failed
    10 ms later; `ends`: so did the thread. `before`: it got so many other results."""
    trace = TraceBuilder(argv="plugins.py", signals=SIGNALS)
    main, thread = trace.thread("MainThread"), trace.thread("loop-thread").running(0)
    main.native(0)
    loop, site = trace.loop(thread), "/app/plugins.py:25 ask"
    at, result = 10 * MS, trace.lock("Future.result", site)
    for _ in range(before):
        main.lock_wait(at, "Future.result", lock=result, site=site)
        thread.native(at + 20 * MS).release(at + 20 * MS, result, to=main)
        thread.running(at + 21 * MS)
        main.native(at + 22 * MS)
        at += 30 * MS
    at += 10 * MS if before else 0
    wake, end = main.wakes(at - MS), at + ns
    main.lock_wait(at, "Future.result", lock=result, site=site, acquired=False)
    loop.callback(
        "callback", "/lib/asyncio/tasks.py:1 callback", at + MS, at + 2 * MS, by=wake
    )
    task = loop.task("load", site="/app/plugins.py:11 load").ready(at + MS + 5)
    task.running(at + 3 * MS).done(at + 10 * MS, how)
    loop.step(task, at + 3 * MS, at + 10 * MS)
    thread.io(at + 10 * MS, "select.epoll.poll").running(at + 11 * MS if ends else end)
    thread.end(at + 12 * MS if ends else end + MS)
    main.native(end).end(end + 2 * MS)
    return trace.ended(end + 3 * MS)


def test_a_coroutine_that_ended_its_loop(tmp_path):
    (found,) = find_in(tmp_path, given())
    assert found.finding == "wait in vain"
    assert found.text == (
        "Waited in vain: `MainThread` in `ask` (plugins.py:25) gave up 1 wait in "
        "`Future.result`, 1.20 s (at 10.0 ms); the longest was "
        "for `load`, which it gave to the loop. `load` failed (SystemExit) at 20.0 ms, and "
        "that ended `loop-thread` with its loop. Look at what should have ended it, and "
        "whether it was ever started."
    )


def test_a_coroutine_that_failed_alone(tmp_path):
    (found,) = find_in(tmp_path, given(ends=False))
    assert (
        "which it gave to the loop. `load` failed (SystemExit) at 20.0 ms. Look" in found.text
    )


def test_one_that_failed_after_others_got_theirs(tmp_path):
    (found,) = find_in(tmp_path, given(before=3))
    assert found.finding == "wait in vain"
    assert found.text == (
        "Waited in vain: `MainThread` in `ask` (plugins.py:25) waited in `Future.result`: 1 "
        "wait without a result, 1.20 s (at 110 ms), for `load`, "
        "which it gave to the loop. `load` failed (SystemExit) at 120 ms, and that ended "
        "`loop-thread` with its loop."
    )
    assert found.next_step.startswith("Mend what it failed with")


@pytest.mark.parametrize(
    "story",
    [pytest.param({"how": s.DONE}, id="done"), pytest.param({"ns": 150 * MS}, id="soon")],
)
def test_coroutines_that_did_not_fail_first(tmp_path, story):
    assert "failed" not in " ".join(one.text for one in find_in(tmp_path, given(**story)))


ASK, INSIDE = "/app/bridge.py:10 ask", "/app/bridge.py:24 names"


def bridge(late=True, mine=True, ns=600 * MS):
    """A step of `main` waits for `names`, which it gave to a loop of another thread, and that
    awaits `load`, which begins when the step is over; not `late`: while it waits; not `mine`:
    on the loop of a third thread."""
    trace = TraceBuilder(argv="bridge.py", signals=SIGNALS)
    first, second = trace.thread("MainThread").native(0), trace.thread("engine").native(0)
    third = trace.thread("other").native(0)
    app, engine, spare = trace.loop(first), trace.loop(second), trace.loop(third)
    main = app.task("main", site="/app/bridge.py:40 main").ready(0).running(1)
    lock, end = trace.lock("Future.result", ASK), 10 * MS + ns
    given = app.wakes(9 * MS)
    first.lock_wait(10 * MS, "Future.result", lock=lock, site=ASK, acquired=False)
    first.native(end)
    main.awaits(end + MS, "sleep")
    app.step(main, 1, end + MS)
    callback = "/lib/asyncio/tasks.py:1 callback"
    engine.callback("callback", callback, 11 * MS, 12 * MS, by=given)
    names = engine.task("names", site="/app/bridge.py:20 names").ready(11 * MS + 5)
    names.running(13 * MS).awaits(14 * MS, "executor", site=INSIDE)
    engine.step(names, 13 * MS, 14 * MS)
    loop, began = app if mine else spare, end + 2 * MS if late else 15 * MS
    load = loop.task("load", site="/app/bridge.py:15 load").ready(began).running(began + 5)
    names.ready(end + 3 * MS, by=load)
    load.done(end + 3 * MS + 5)
    loop.step(load, began + 5, end + 3 * MS + 5)
    names.running(end + 4 * MS).done(end + 5 * MS)
    engine.step(names, end + 4 * MS, end + 5 * MS)
    main.ready(end + 6 * MS, waker="timer").running(end + 6 * MS).done(end + 7 * MS)
    app.step(main, end + 6 * MS, end + 7 * MS)
    for thread in (first, second, third):
        thread.end(end + 8 * MS)
    return trace.ended(end + 9 * MS)


def test_a_coroutine_of_another_loop_that_needs_this_one(tmp_path):
    found, *_ = find_in(tmp_path, bridge())
    assert found.finding == "deadlock"
    assert found.text == (
        "Deadlock at 14.0 ms, for 596 ms: `MainThread` in `ask` (bridge.py:10) waits for "
        "`names`, which it gave to the loop; `names` in `names` (bridge.py:24) waits for a "
        "coroutine on the loop of `MainThread`. `await` the coroutine, or leave the loop's "
        "thread before waiting for it."
    )


@pytest.mark.parametrize("story", [{"mine": False}, {"ns": 30 * MS}])
def test_a_coroutine_that_needs_another_loop(tmp_path, story):
    """Or for a moment."""
    assert "deadlock" not in kinds(tmp_path, bridge(**story))


ASKED, DB, START = "/app/rpc.py:9 ask", "/app/rpc.py:20 db", "/app/rpc.py:7 ask"
END = 1_520 * MS


def asks(begins=20 * MS, idle=True):
    """`MainThread` waits for an event; `db` was woken by it before, and waits for more."""
    trace = TraceBuilder(argv="rpc.py", signals=SIGNALS)
    main, db = trace.thread("MainThread").native(0), trace.thread("db")
    jobs, done = trace.lock("Queue.get", DB), trace.lock("Event.wait", ASKED)
    db.lock_wait(0, "Queue.get", lock=jobs, site=DB)
    main.release(10 * MS, jobs, to=db)
    db.native(10 * MS)
    if idle:
        db.lock_wait(11 * MS, "Queue.get", lock=jobs, site=DB)
    main.lock_wait(begins, "Event.wait", lock=done, site=ASKED, acquired=False).native(END)
    if idle:
        main.release(END + 100 * MS, jobs, to=db)
    db.native(END + 100 * MS).end(END + 101 * MS)
    main.end(END + 101 * MS)
    return trace.ended(END + 102 * MS)


def test_who_was_given_something_waits_for_more(tmp_path):
    (found,) = find_in(tmp_path, asks())
    assert (found.finding, found.severity_ns) == ("wait in vain", 1_500 * MS)
    assert found.text == (
        "Waited in vain: `MainThread` in `ask` (rpc.py:9) gave up 1 wait in `Event.wait`, "
        "1.50 s (at 20.0 ms); nothing ended it: `db`, which it had woken just "
        "before, went back to wait for more in `Queue.get` in `db` (rpc.py:20), so what it "
        "did with that never told the waiter. Look at what should have ended it, and whether "
        "it was ever started."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"begins": 100 * MS}, id="long before"),
        pytest.param({"idle": False}, id="it works on"),
    ],
)
def test_a_pause_beside_a_worker(tmp_path, story):
    assert kinds(tmp_path, asks(**story)) == []


def starts(site=START, ends=30 * MS, does="native", fails=False, ns=1_500 * MS):
    """`MainThread` starts `server` and waits for an event, in `ask`."""
    trace = TraceBuilder(argv="rpc.py", signals=SIGNALS)
    main, server = trace.thread("MainThread").native(0), trace.thread("server")
    ready, end = trace.lock("Event.wait", ASKED), 10 * MS + ns
    begun = trace.instant(main.track, MS, s.THREAD_START, s.CAT_THREAD, site=site, stack=site)
    trace.arrow(begun, trace.instant(server.track, MS, s.THREAD_STARTED, s.CAT_THREAD))
    server.native(MS)
    main.lock_wait(10 * MS, "Event.wait", lock=ready, site=ASKED, acquired=False)
    if does == "sleep":
        server.sleep(12 * MS, site=DB).native(end + MS)
    elif does != "native":
        server.io(12 * MS, does, site=DB).native(end + MS)
    if fails:
        where = {s.ARG_SITE: DB}
        trace.instant(server.track, ends, "failed: OSError", s.CAT_THREAD, **where)
    server.end(ends if does == "native" else end + 2 * MS)
    main.native(end).end(max(end, ends) + 3 * MS)
    return trace.ended(max(end, ends) + 4 * MS)


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({}, id="it has ended"),
        pytest.param({"does": "sleep"}, id="it sleeps"),
        pytest.param({"does": "socket.recv"}, id="it stands in a call"),
        pytest.param({"fails": True}, id="it failed"),
    ],
)
def test_who_was_started_for_it_never_sets_it(tmp_path, story):
    (found,) = find_in(tmp_path, starts(**story))
    assert found.text.startswith("Waited in vain: `MainThread` in `ask` (rpc.py:9) gave up 1")
    assert ("`server` had failed (OSError)" in found.text) is bool(story.get("fails"))


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"site": "/app/rpc.py:40 main"}, id="started elsewhere"),
        pytest.param({"site": "/app/rpc.py:40 main", "fails": True}, id="… it failed"),
        pytest.param({"ends": 2_000 * MS}, id="it runs on"),
        pytest.param({"does": "socket.accept"}, id="it waits for clients"),
        pytest.param({"ns": 900 * MS}, id="less than a second"),
    ],
)
def test_a_pause_beside_a_thread(tmp_path, story):
    assert kinds(tmp_path, starts(**story)) == []


def helped(asks="Thread.start", waits="Thread.join"):
    """`MainThread` starts `helper`, or gets what it made, and waits for its end, or for more
    of it; meanwhile the helper pauses."""
    trace = TraceBuilder(argv="rpc.py", signals=SIGNALS)
    main, helper = trace.thread("MainThread").native(0), trace.thread("helper").native(0)
    begun, stop = trace.lock(asks, START), trace.lock("Event.wait", DB)
    main.lock_wait(MS, asks, lock=begun, site=START)
    helper.release(2 * MS, begun, to=main)
    main.native(2 * MS)
    helper.lock_wait(3 * MS, "Event.wait", lock=stop, site=DB, acquired=False)
    end = trace.lock(waits, ASKED)
    owner = helper if waits == "Thread.join" else None
    main.lock_wait(100 * MS, waits, lock=end, site=ASKED, owner=owner)
    helper.native(END).release(END + MS, end, to=main).end(END + 2 * MS)
    main.native(END + MS).end(END + 3 * MS)
    return trace.ended(END + 4 * MS)


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({}, id="it is started and joined"),
        pytest.param({"asks": "Queue.get"}, id="it is joined"),
        pytest.param({"waits": "Queue.get"}, id="it is started"),
    ],
)
def test_a_pause_that_the_end_of_the_program_waits_for(tmp_path, story):
    """Neither a start nor a wait for the end says that somebody was given something."""
    assert "wait in vain" not in kinds(tmp_path, helped(**story))


def test_the_end_waits_for_one_whom_nobody_answers(tmp_path):
    """What it gave to `MainThread` made that one wait for more."""
    assert kinds(tmp_path, helped("Queue.get", "Queue.get")) == ["wait in vain"]
