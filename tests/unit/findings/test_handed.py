"""A wait of the main thread for an event: for somebody who was given something, or a pause."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

ASK, DB, START = "/app/rpc.py:9 ask", "/app/rpc.py:20 db", "/app/rpc.py:7 ask"
END = 1_520 * MS


def asks(begins=20 * MS, idle=True):
    """`MainThread` waits for an event; `db` was woken by it before, and waits for more."""
    trace = TraceBuilder(argv="rpc.py", signals=SIGNALS)
    main, db = trace.thread("MainThread").native(0), trace.thread("db")
    jobs, done = trace.lock("Queue.get", DB), trace.lock("Event.wait", ASK)
    db.lock_wait(0, "Queue.get", lock=jobs, site=DB)
    main.release(10 * MS, jobs, to=db)
    db.native(10 * MS)
    if idle:
        db.lock_wait(11 * MS, "Queue.get", lock=jobs, site=DB)
    main.lock_wait(begins, "Event.wait", lock=done, site=ASK, acquired=False).native(END)
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
    ready, end = trace.lock("Event.wait", ASK), 10 * MS + ns
    begun = trace.instant(main.track, MS, s.THREAD_START, s.CAT_THREAD, site=site, stack=site)
    trace.arrow(begun, trace.instant(server.track, MS, s.THREAD_STARTED, s.CAT_THREAD))
    server.native(MS)
    main.lock_wait(10 * MS, "Event.wait", lock=ready, site=ASK, acquired=False)
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
    end = trace.lock(waits, ASK)
    owner = helper if waits == "Thread.join" else None
    main.lock_wait(100 * MS, waits, lock=end, site=ASK, owner=owner)
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
