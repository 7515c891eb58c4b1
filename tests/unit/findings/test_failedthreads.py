"""Waits, and calls, that nobody ends any more since a thread failed."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in
from tracer import schema as s

COLLECT, RENDER = "/app/tiles.py:31 collect", "/app/tiles.py:20 render"


def tiles(fails=True, ns=1_000 * MS, other=False, name="Queue.get", feeds=True, again=False):
    """`feeder` puts jobs for `render`, which puts results for `MainThread`; `feeder` ends at
    50 ms. `other`: another thread puts a job, too; `again`: it does so after that."""
    trace = TraceBuilder(argv="tiles.py", signals=SIGNALS)
    main, render, feeder, extra = (
        trace.thread(name) for name in ("MainThread", "render", "feeder", "extra")
    )
    jobs, results = trace.lock(name, "tiles.py:5"), trace.lock(name, "tiles.py:6")
    feeder.native(0)
    extra.native(0)
    main.lock_wait(0, name, lock=results, site=COLLECT)
    render.lock_wait(0, name, lock=jobs, site=RENDER)
    if feeds:
        (extra if other else feeder).release(20 * MS, jobs, to=render)
    render.native(20 * MS)
    render.release(30 * MS, results, to=main)
    main.native(30 * MS).lock_wait(31 * MS, name, lock=results, site=COLLECT, acquired=False)
    render.lock_wait(32 * MS, name, lock=jobs, site=RENDER)
    if fails:
        where = {s.ARG_SITE: "/app/tiles.py:11 read"}
        trace.instant(feeder.track, 50 * MS, "failed: KeyError", s.CAT_THREAD, **where)
    feeder.end(50 * MS)
    end = 31 * MS + ns
    if again:
        extra.release(60 * MS, jobs, to=render)
        render.native(60 * MS)
    main.native(end)
    main.release(end + MS, jobs, to=render if not again else None)
    render.native(end + MS).end(end + 2 * MS)
    extra.end(end + 2 * MS)
    main.end(end + 2 * MS)
    return trace.ended(end + 3 * MS)


def test_who_fed_the_others_failed(tmp_path):
    found = find_in(tmp_path, tiles())[0]
    assert (found.finding, found.evidence.site) == ("wait in vain", COLLECT)
    assert found.text == (
        "Waited in vain: `MainThread` in `collect` (tiles.py:31) gave up 1 wait in "
        "`Queue.get`, 1.00 s (at 31.0 ms): `feeder` had failed "
        "(KeyError) in `read` (tiles.py:11) at 50.0 ms, and `render` in `render` "
        "(tiles.py:20) waited for it since. Fix that exception, and let those who wait know "
        "when such a thread ends."
    )
    assert found.severity_ns == 981 * MS


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"fails": False}, id="it ended without an exception"),
        pytest.param({"ns": 450 * MS}, id="little was lost"),
        pytest.param({"other": True}, id="another thread had put the jobs"),
        pytest.param({"again": True}, id="somebody else puts jobs, too"),
    ],
)
def test_no_failure_that_others_waited_for(tmp_path, story):
    assert "failed" not in " ".join(one.text for one in find_in(tmp_path, tiles(**story)))


def server(fails_ns=10 * MS, wait_ns=2_000 * MS, times=1, name="Event.wait", other=""):
    """`MainThread` waits for an event that `server` should have set."""
    trace = TraceBuilder(argv="server.py", signals=SIGNALS)
    main, thread = trace.thread("MainThread"), trace.thread("server")
    ready, site = trace.lock(name, "server.py:3"), "/app/server.py:22 start"
    start = {s.ARG_SITE: "/app/server.py:21 start", s.ARG_STACK: "/app/server.py:21 start"}
    begun = trace.instant(main.track, 0, s.THREAD_START, s.CAT_THREAD, **start)
    trace.arrow(begun, trace.instant(thread.track, 0, s.THREAD_STARTED, s.CAT_THREAD))
    thread.native(0)
    main.native(0)
    where = {s.ARG_SITE: "/app/server.py:9 serve"}
    trace.instant(thread.track, fails_ns, "failed: OSError", s.CAT_THREAD, **where)
    thread.end(fails_ns)
    if other:  # waits for the same, and for longer
        inside = trace.thread("handler").native(0)
        inside.lock_wait(5 * MS, name, lock=ready, site=other, acquired=False)
        inside.native(20 * MS + wait_ns).end(20 * MS + wait_ns)
    begin = 20 * MS
    for _ in range(times):
        main.lock_wait(begin, name, lock=ready, site=site, acquired=False)
        begin += wait_ns
        main.native(begin)
        begin += 20 * MS
    main.end(begin)
    return trace.ended(begin + MS)


def test_who_should_have_set_the_event_failed(tmp_path):
    (found,) = find_in(tmp_path, server())
    assert found.text == (
        "Waited in vain: `MainThread` in `start` (server.py:22) gave up 1 wait in "
        "`Event.wait`, 2.00 s (at 20.0 ms): `server` had failed "
        "(OSError) in `serve` (server.py:9) at 10.0 ms. Fix that exception, and let those "
        "who wait know when such a thread ends."
    )


def test_the_programs_own_wait_is_named(tmp_path):
    """A library's thread may wait for the same, and for longer."""
    library = "/usr/lib/python3.13/multiprocessing/pool.py:531 Pool._handle_tasks"
    (found,) = find_in(tmp_path, server(other=library))
    assert "`MainThread` in `start` (server.py:22) gave up 1 wait" in found.text
    assert found.severity_ns > 4_000 * MS


@pytest.mark.parametrize("name", ["AsyncResult.get", "Future.result"])
def test_who_should_have_brought_the_result_failed(tmp_path, name):
    """As the thread of a pool of processes that cannot read what a job raised."""
    (found,) = find_in(tmp_path, server(name=name))
    assert f"gave up 1 wait in `{name}`, 2.00 s (at 20.0 ms)" in found.text
    assert "`server` had failed (OSError) in `serve`" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"wait_ns": 400 * MS}, id="a short wait"),
        pytest.param({"times": 4}, id="it looks again and again"),
        pytest.param({"name": "Lock"}, id="for a lock, which has an owner"),
        pytest.param({"fails_ns": 1_900 * MS}, id="it failed shortly before the end"),
    ],
)
def test_no_failure_that_an_event_waited_for(tmp_path, story):
    assert "failed" not in " ".join(one.text for one in find_in(tmp_path, server(**story)))


ASK, TAKES = "/app/rates.py:27 ask", "/app/rates.py:21 worker"
LOOKUP = "/app/rates.py:13 lookup"


def asks(
    *, on=1_000 * MS, late=0, fails=True, before=1 * MS, site=ASK, after=0, what="poll",
    over=False,
):  # fmt: skip
    """`main` asks twice: the first answer takes `before`, and the second never comes."""
    trace = TraceBuilder(argv="rates.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    worker = trace.thread("worker").native(0)
    worker.io(MS, "poll", site=TAKES)
    main.io(10 * MS, what, site=site)
    worker.native(10 * MS).io(10 * MS + before, "poll", site=TAKES)
    main.native(10 * MS + before)
    start = 20 * MS + before
    worker.native(start)
    main.io(start + late, what, site=site, fd=9, timed_out=over)
    if fails:
        trace.instant(
            worker.track, start + after + 1, f"{s.FAILED_PREFIX}KeyError", s.CAT_THREAD,
            site=LOOKUP,
        )  # fmt: skip
    worker.end(start + after + 2)
    main.native(start + late + on).end(start + late + on + MS)
    return trace.ended(start + late + on + 2 * MS)


def told(tmp_path, **how):
    return [one.text for one in find_in(tmp_path, asks(**how)) if "got on soon" in one.text]


def test_the_one_who_was_asked_failed(tmp_path):
    assert told(tmp_path) == [
        "Waited in vain: `MainThread` in `ask` (rates.py:27) waited 1.00 s in `poll` (at 21.0 "
        "ms), where it had always got on soon: `worker`, which went on as that wait began, "
        "failed at once (KeyError) in `lookup` (rates.py:13). "
        "Send an answer even if a request fails."
    ]


def test_the_first_answer_was_there_at_once(tmp_path):
    """Or as slow as any: the time-out says that none came."""
    (text,) = (
        one.text
        for one in find_in(tmp_path, asks(before=200 * MS, over=True))
        if "`worker`, which went on" in one.text
    )
    assert "in `poll` (at 220 ms), until its time ran out: `worker`, which went on" in text


@pytest.mark.parametrize(
    "how",
    [
        {"on": 499 * MS},
        {"late": 6 * MS},  # it had gone on long before
        {"after": 6 * MS},  # it did something else first
        {"fails": False},
        {"before": 200 * MS},  # a wait there may last
        {"site": "/usr/lib/python3.13/selectors.py:468 select"},  # of a library that serves
        {"what": "accept"},
    ],
)
def test_whoever_waits_for_something_else(tmp_path, how):
    assert not told(tmp_path, **how)


def results(ns=1_000 * MS, fails=True, others=False):
    """`reader` brings `MainThread` a result, and fails before the next one; each has a lock of
    its own. `others`: another thread has brought one, too."""
    trace = TraceBuilder(argv="pool.py", signals=SIGNALS)
    main, reader, other = (trace.thread(name) for name in ("MainThread", "reader", "other"))
    name, at = "AsyncResult.get", MS
    reader.native(0)
    other.native(0)
    for by in (reader, other) if others else (reader, reader):
        lock = trace.lock(name, COLLECT)
        main.lock_wait(at, name, lock=lock, site=COLLECT)
        by.release(at + 10 * MS, lock, to=main)
        main.native(at + 10 * MS)
        at += 12 * MS
    if fails:
        where = {s.ARG_SITE: "/app/pool.py:11 read"}
        trace.instant(reader.track, at + MS, "failed: TypeError", s.CAT_THREAD, **where)
    reader.end(at + MS)
    last = trace.lock(name, COLLECT)
    main.lock_wait(at, name, lock=last, site=COLLECT, acquired=False)
    end = at + ns
    main.native(end).end(end + MS)
    other.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_the_only_one_that_brought_results_failed(tmp_path):
    found = find_in(tmp_path, results())[0]
    assert found.finding == "wait in vain"
    assert (
        "`MainThread` in `collect` (tiles.py:31) gave up 1 wait in `AsyncResult.get`, 1.00 s "
        "(at 25.0 ms): `reader` had failed (TypeError) in `read` (pool.py:11) at 26.0 ms. "
    ) in found.text
    assert found.severity_ns == 999 * MS


@pytest.mark.parametrize("story", [{"ns": 400 * MS}, {"fails": False}, {"others": True}])
def test_others_may_bring_the_result(tmp_path, story):
    assert "failed" not in " ".join(one.text for one in find_in(tmp_path, results(**story)))
