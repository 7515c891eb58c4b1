"""Jobs, threads and children that are waited for one by one."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

ALL, FETCH = "/app/load.py:8 fetch_all", "/app/load.py:4 fetch"


def threads(
    count=10, ns=100 * MS, apart=2 * MS, together=False, joined=True, site=ALL, other=False
):
    """`MainThread` starts a thread and joins it, then the next one."""
    trace = TraceBuilder(argv="load.py", signals=SIGNALS)
    main, at, last = trace.thread("MainThread").native(0), MS, 0
    if other:  # another caller
        caller = trace.thread("caller").native(0)
        begun = trace.instant(caller.track, 1, s.THREAD_START, s.CAT_THREAD, site=site)
        one = trace.thread("Thread-99 (fetch)").native(1)
        trace.arrow(begun, trace.instant(one.track, 1, s.THREAD_STARTED, s.CAT_THREAD))
        one.end(MS)
        caller.end(MS)
    for n in range(count):
        thread, end = trace.thread(f"Thread-{n + 1} (fetch)"), at + ns
        begun = trace.instant(main.track, at, s.THREAD_START, s.CAT_THREAD, site=site)
        trace.arrow(begun, trace.instant(thread.track, at, s.THREAD_STARTED, s.CAT_THREAD))
        thread.native(at).sleep(at + 1000, site=FETCH).native(end - 1000).end(end)
        last = end
        if together:
            at += MS
            continue
        lock = trace.lock("Thread.join", ALL)
        if joined:
            main.lock_wait(at + 1000, "Thread.join", lock=lock, site=ALL, owner=thread)
            thread.release(end, lock, to=main)
            main.native(end)
        at = end + apart
    main.end(last + apart + MS)
    return trace.ended(last + apart + 2 * MS)


def test_threads_one_by_one(tmp_path):
    (found,) = find_in(tmp_path, threads())
    assert (found.finding, found.severity_ns, found.evidence.site) == (
        "awaits in turn", 900 * MS, ALL,
    )  # fmt: skip
    assert found.text == (
        "Awaits in turn: `MainThread` in `fetch_all` (load.py:8) starts thread `Thread-N "
        "(fetch)` 10 times and waits for each before the next: 1.02 s (at 1.00 ms), the "
        "longest 100 ms. If none depends on the one before, all together take as long as the "
        "longest; 900 ms would be saved. Start all of them first, then join them, or use a "
        "pool."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"count": 7}, id="few"),
        pytest.param({"ns": 50 * MS}, id="little would be saved"),
        pytest.param({"apart": 60 * MS}, id="other things in between"),
        pytest.param({"together": True}, id="all at once"),
        pytest.param({"joined": False}, id="nobody waits"),
        pytest.param({"other": True}, id="another one does so, too"),
        pytest.param({"site": "/usr/lib/python3.13/sched.py:3 run"}, id="a library's"),
    ],
)
def test_threads_that_are_no_row(tmp_path, story):
    assert "awaits in turn" not in kinds(tmp_path, threads(**story))


PROBE, CALLER = "/app/load.py:20 probe", "/app/load.py:30 probe_all"
WAIT = "/usr/lib/python3.13/subprocess.py:1280 Popen.wait"


def children(count=10, lines=1, stack=WAIT):
    """`MainThread` runs a child and waits for it; `lines`: from so many lines in turn."""
    trace = TraceBuilder(argv="load.py", signals=SIGNALS)
    main, at = trace.thread("MainThread").native(0), MS
    for n in range(count):
        caller = CALLER.replace("30", str(30 + n % lines))
        main.io(at, "os.waitpid", site=PROBE, stack=f"{stack}\n{PROBE}\n{caller}")
        main.native(at + 100 * MS)
        at += 104 * MS
    main.end(at)
    return trace.ended(at + MS)


def test_children_one_by_one(tmp_path):
    (found,) = find_in(tmp_path, children())
    assert found.text.startswith(
        "Awaits in turn: `MainThread` in `probe` (load.py:20) runs children 10 times and "
        "waits for each before the next: 1.04 s (at 1.00 ms)"
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"count": 7}, id="few"),
        pytest.param({"lines": 2}, id="a script"),
        pytest.param({"stack": "/app/wait.py:3 wait"}, id="another call"),
    ],
)
def test_children_that_are_no_row(tmp_path, story):
    assert kinds(tmp_path, children(**story)) == []


def jobs(count=10, ahead=0):
    """`MainThread` submits a job and asks for its result; `ahead`: submitted before that."""
    trace = TraceBuilder(argv="load.py", signals=SIGNALS)
    main, worker = trace.thread("MainThread").native(0), trace.thread("pool_0")
    idle, at = trace.lock("executor idle", FETCH), MS
    submits = [main.submits(at) for _ in range(ahead)]
    worker.lock_wait(0, "executor idle", lock=idle, site=FETCH)
    for n in range(count):
        by = submits[n] if n < ahead else main.submits(at)
        main.release(at + 1, idle, to=worker)
        worker.runs(at + 1, "fetch", FETCH, by=by)
        worker.sleep(at + 2, site=FETCH)
        result = trace.lock("Future.result", ALL)
        main.lock_wait(at + 3, "Future.result", lock=result, site=ALL)
        end = at + 100 * MS
        worker.native(end).release(end, result, to=main)
        worker.lock_wait(end + 1, "executor idle", lock=idle, site=FETCH)
        main.native(end)
        at = end + MS
    main.release(at, idle, to=worker)
    worker.native(at).end(at + MS)
    main.end(at + MS)
    return trace.ended(at + 2 * MS)


def test_jobs_one_by_one(tmp_path):
    found = [one for one in find_in(tmp_path, jobs()) if one.finding == "awaits in turn"]
    assert found[0].text.startswith(
        "Awaits in turn: `MainThread` in `fetch_all` (load.py:8) submits job `fetch` "
        "(load.py:4) 10 times and waits for each before the next:"
    )


@pytest.mark.parametrize(
    "story",
    [pytest.param({"count": 7}, id="few"), pytest.param({"ahead": 10}, id="all at once")],
)
def test_jobs_that_are_no_row(tmp_path, story):
    assert "awaits in turn" not in kinds(tmp_path, jobs(**story))


def called(times=10, ns=100 * MS, what="int", own=True):
    """`MainThread` calls a function and submits what it returns."""
    trace = TraceBuilder(argv="load.py", signals=SIGNALS)
    main, worker, at = trace.thread("MainThread").native(0), trace.thread("pool_0"), MS
    worker.native(0)
    for _ in range(times):
        main.io(at, "socket.recv", site=FETCH, stack=f"{FETCH}\n{ALL}" if own else FETCH)
        main.native(at + ns)
        worker.runs(at + ns + 20, what, "", by=main.submits(at + ns + 10)).native(at + ns + 30)
        at += ns + MS
    worker.end(at)
    main.end(at)
    return trace.ended(at + MS)


def test_a_function_is_called_where_it_should_be_submitted(tmp_path):
    (found,) = find_in(tmp_path, called())
    assert (found.finding, found.severity_ns) == ("awaits in turn", 909 * MS)
    assert found.text == (
        "Awaits in turn: `MainThread` in `fetch_all` (load.py:8) calls `fetch` (load.py:4) "
        "itself and submits what it returns (int) to `pool`, 10 times, one after the other: "
        "909 ms (at 101 ms). The workers have nothing to call. Submit the function and its "
        "arguments: `submit(fetch, ...)`."
    )


@pytest.mark.parametrize("story", [{"times": 7}, {"ns": 40 * MS}, {"what": "partial"}])
def test_what_is_submitted_can_be_called(tmp_path, story):
    assert kinds(tmp_path, called(**story)) == []
