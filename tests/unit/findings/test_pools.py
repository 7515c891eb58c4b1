"""Pools that are too small, too large, or never closed; and pools that are all right."""

import pytest

from tests.support.builder.family import Family
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s
from viewer.analysis.findings import Facts, find
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

IDLE = "/usr/lib/python3.13/concurrent/futures/thread.py:90 _worker"


def crowd(threads=10, lock_part=0.9, active="sleep"):
    """Threads that wait for locks for a part of their time; nobody else is to be seen."""
    trace = TraceBuilder(argv="crowd.py", signals=SIGNALS)
    whole, parts = 100 * MS, int(100 * MS * lock_part)
    for n in range(threads):
        # A lock each: this is not about a convoy.
        lock = trace.lock("Lock", f"/app/crowd.py:{n} work")
        worker = trace.thread(f"worker-{n}")
        worker.lock_wait(0, "Lock", lock=lock, site="/app/crowd.py:9 work")
        worker.sleep(parts, site="/app/crowd.py:11 work")
        worker.end(whole)
    return trace.ended(whole + MS)


def test_too_many_workers(tmp_path):
    """Ten threads that do the work of one."""
    (found,) = find_in(tmp_path, crowd())
    assert found.finding == "too many workers"
    assert found.text == (
        "10 threads `worker-N` together do the work of 1.0 threads; the rest of their time "
        "they wait (90 % for locks). More workers make it slower, not faster."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"threads": 7}, id="few"),
        pytest.param({"lock_part": 0.7}, id="three at a time"),
    ],
)
def test_not_too_many_workers(tmp_path, story):
    """A few, or such as work."""
    assert kinds(tmp_path, crowd(**story)) == []


IDLE = "/app/idle.py:4 work"
TRIO = "/venv/site-packages/trio/_core/_thread_cache.py:211 _work"


def idle(threads=8, ends=False, killed=False, queues=8, stack="", started="", site=IDLE):
    """Workers that have done their work and wait for more."""
    trace = TraceBuilder(argv="idle.py", signals=SIGNALS)
    main = trace.thread("MainThread") if started else None
    for n in range(threads):
        worker = trace.thread(f"worker-{n}")
        if main is not None:
            starts = trace.instant(
                main.track, 0, s.THREAD_START, s.CAT_THREAD, site=started, stack=started
            )
            trace.arrow(starts, trace.instant(worker.track, 0, s.THREAD_STARTED, s.CAT_THREAD))
        worker.native(0)
        worker.lock_wait(MS, "Queue.get", lock=n % queues + 1, site=site, stack=stack)
        if ends:
            worker.end(9 * MS)
    if killed:
        trace.instant(trace.tracer, 10 * MS, "note", "tracer", reason="alive")
        return trace
    return trace.ended(10 * MS)


def test_workers_never_exit(tmp_path):
    """Eight that still wait when the program ends."""
    (found,) = find_in(tmp_path, idle())
    assert found.finding == "workers never exit"
    assert found.severity_ns == 0
    assert found.text == (
        "8 threads `worker-N` never exit: at the end of the program they still wait in "
        "Queue.get (idle.py:4), each for something of its own that never comes."
    )
    assert (found.evidence.start_ns, found.evidence.duration_ns) == (1_001_000_000, 9 * MS)


def test_timers_that_nobody_cancels(tmp_path):
    """The line that starts them is told, and what they are."""
    stack = "/usr/lib/python3.13/threading.py:659 Event.wait\n/x/threading.py:9 Timer.run"
    story = idle(stack=stack, started="/app/web.py:7 handle")
    (found,) = find_in(tmp_path, story)
    assert found.text == (
        "8 threads `worker-N`, started in `handle` (web.py:7), never exit: at the end of the "
        "program they still wait in Queue.get (idle.py:4), each for the time of its own "
        "`threading.Timer`. Cancel the timer when it is not needed any more; one thread with "
        "a queue of times can serve all."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"site": TRIO}, id="kept for the next call"),
        pytest.param({"threads": 7}, id="few"),
        pytest.param({"ends": True}, id="they exit"),
        pytest.param({"killed": True}, id="the program did not end"),
        pytest.param({"queues": 1}, id="a pool of daemons"),
    ],
)
def test_workers_that_exit(tmp_path, story):
    """A few, or such as end with the program."""
    assert kinds(tmp_path, idle(**story)) == []


def executors(count=8, jobs_each=1, idle_ns=500 * MS, shares=False, ended=0, site=""):
    """Each executor gets a job, and its worker then waits for more in a queue of its own.

    The first `ended` ones are ended soon, before the others are made.
    """
    trace = TraceBuilder(argv="each.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    shared = trace.lock("executor idle", IDLE)
    end = count * MS + idle_ns
    for n in range(count):
        is_ended = n < ended
        worker = trace.thread(f"resolver_{n if shares else 0}")
        if site:
            begun = trace.instant(main.track, n * MS, s.THREAD_START, s.CAT_THREAD, site=site)
            come = trace.instant(worker.track, n * MS, s.THREAD_STARTED, s.CAT_THREAD)
            trace.arrow(begun, come)
        queue = shared if shares else trace.lock("executor idle", IDLE)
        at = n * MS
        for turn in range(jobs_each):
            worker.runs(at + turn, "look_up", "/app/each.py:3 look_up", by=main.submits(at))
            worker.native(at + turn)
        worker.lock_wait(at + 10, "executor idle", lock=queue, site=IDLE, acquired=False)
        last = at + MS if is_ended else end
        worker.native(last).end(last + 1)
    main.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_executors_that_pile_up(tmp_path):
    (found,) = find_in(tmp_path, executors())
    assert found.finding == "workers never exit"
    assert found.text == (
        "Threads pile up: 8 executors were made, and 8 of their threads `resolver_N` were "
        "alive at the same time. Each ran a job or two for `MainThread` and then waited for "
        "more: 4.04 s in all. Make one executor and keep it, or end it with `with`."
    )


def test_where_executors_are_started(tmp_path):
    (found,) = find_in(tmp_path, executors(site="/app/each.py:9 upload"))
    assert "their threads `resolver_N`, started in `upload` (each.py:9), were" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"count": 7}, id="few"),
        pytest.param({"idle_ns": 200 * MS}, id="not long"),
        pytest.param({"jobs_each": 3}, id="they work"),
        pytest.param({"shares": True}, id="one pool"),
        pytest.param({"count": 12, "ended": 4}, id="many are ended"),
    ],
)
def test_executors_that_are_used(tmp_path, story):
    assert kinds(tmp_path, executors(**story)) == []


def pools_of_processes(count=8, idle_ns=400 * MS, jobs_each=1, ended=False):
    """Each request makes a pool with a worker, gives it a job, and forgets it."""
    family = Family("/app/web.py")
    main, step = family.first.thread("MainThread", 100).native(0), 20 * MS
    end = count * step + idle_ns
    for n in range(count):
        at = n * step
        child = family.fork(main, at, 101 + n, name=f"W-{n}", site="/app/web.py:7 thumbnail")
        for k in range(jobs_each):
            job = family.job(n + 1, "resize", main, at + MS, "/app/web.py:3 resize")
            job.run(child, at + (2 + k) * MS, at + (2 + k) * MS + MS // 2)
        last = at + 10 * MS if ended else end
        family.main(child).native(at + MS).end(last)
        child.ended(last)
    main.end(end + MS)
    family.first.ended(end + 2 * MS)
    return family


def kinds_of(tmp_path, family):
    return find(Facts(build_model(read_trace(family.write(tmp_path)))))


def test_pools_of_processes_that_pile_up(tmp_path):
    (found,) = [
        one
        for one in kinds_of(tmp_path, pools_of_processes())
        if one.finding == "workers never exit"
    ]
    assert (
        "Processes pile up: 8 pools of processes were made in `thumbnail` (web.py:7), and 8 "
        "of their workers were alive at the same time. Each pool ran a job or two of `resize`"
    ) in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"count": 7}, id="few"),
        pytest.param({"idle_ns": 100 * MS}, id="not long"),
        pytest.param({"jobs_each": 3}, id="they work"),
        pytest.param({"ended": True}, id="they are ended"),
    ],
)
def test_pools_of_processes_that_are_used(tmp_path, story):
    found = kinds_of(tmp_path, pools_of_processes(**story))
    assert "workers never exit" not in [one.finding for one in found]


def pollers(count=20, every_ns=50 * MS, at_once=0, polls="sleep"):
    """Sessions start a thread each, which sleeps and looks again, to the end."""
    trace = TraceBuilder(argv="web.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    last = count * every_ns + 200 * MS
    for n in range(count):
        start = every_ns if n < at_once else (n + 1) * every_ns
        thread, at = trace.thread(f"session-{n}"), start
        while at < last:
            if polls == "sleep":
                thread.sleep(at, site="/app/web.py:9 run")
            else:
                thread.native(at)
            thread.native(at + 39 * MS)
            at += 40 * MS
        thread.end(at)
    main.end(last + 50 * MS)
    return trace.ended(last + 60 * MS)


def test_threads_that_poll_and_pile_up(tmp_path):
    (found,) = find_in(tmp_path, pollers())
    assert found.finding == "workers never exit"
    assert found.text.startswith(
        "Threads pile up: 20 threads `session-N` were made one after the other, and none has "
        "ended: each still sleeps and looks again in `run` (web.py:9)."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"count": 12}, id="few"),
        pytest.param({"at_once": 16}, id="made at once"),
        pytest.param({"polls": "native"}, id="they work"),
    ],
)
def test_threads_that_do_not_pile_up(tmp_path, story):
    assert "workers never exit" not in kinds(tmp_path, pollers(**story))
