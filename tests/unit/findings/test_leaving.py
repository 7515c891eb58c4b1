"""Programs that take long to end."""

import pytest

from tests.support.builder.encoding import Arg
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

JOIN = "/usr/lib/python3.13/threading.py:1092 Thread.join"
SHUTDOWN = "/app/export.py:36 Exporter.shutdown"
SLEEPS = "/app/export.py:26 Exporter.export"


def ends(ns=800 * MS, asleep_ns=780 * MS, stack=(JOIN, SHUTDOWN), main=True):
    """The main thread joins `exporter`, which sleeps between its attempts."""
    trace = TraceBuilder(argv="export.py", signals=SIGNALS)
    if not main:
        trace.thread("MainThread").native(0).end(MS)
    thread = trace.thread("MainThread" if main else "closer").running(0)
    exporter = trace.thread("exporter").native(0)
    exporter.sleep(10 * MS, site=SLEEPS).native(10 * MS + asleep_ns)
    lock = trace.lock("Thread.join", SHUTDOWN)
    thread.lock_wait(10 * MS, "Thread.join", lock=lock, site=SHUTDOWN, stack="\n".join(stack))
    exporter.release(10 * MS + ns, lock, to=thread)
    exporter.end(10 * MS + ns)
    thread.running(10 * MS + ns).end(20 * MS + ns)
    return trace.ended(30 * MS + ns)


def test_an_exit_handler_joins_who_sleeps(tmp_path):
    (found,) = find_in(tmp_path, ends())
    assert found.finding == "slow end"
    assert found.text == (
        "Slow end: `MainThread` waits for the end of `exporter` in `Exporter.shutdown` "
        "(export.py:36), when the program is over: 800 ms (at 10.0 ms), 98 % of that time "
        "asleep in `Exporter.export` (export.py:26)."
    )
    assert found.severity_ns == 800 * MS
    assert found.next_step.startswith("Let the thread wait for an event")


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 400 * MS, "asleep_ns": 390 * MS}, id="not long"),
        pytest.param({"asleep_ns": 600 * MS}, id="it works on"),
        pytest.param({"stack": (JOIN, SHUTDOWN, "/app/m.py:9 <module>")}, id="not at exit"),
        pytest.param({"stack": (JOIN,)}, id="a library's own threads"),
        pytest.param({"main": False}, id="not the main thread"),
    ],
)
def test_what_is_no_slow_end(tmp_path, story):
    assert kinds(tmp_path, ends(**story)) == []


def loop_ends(asleep_ns=780 * MS, by="asyncio/base_events.py:623 BaseEventLoop._do_shutdown"):
    """A thread of asyncio waits for the default executor, a job of which sleeps."""
    trace = TraceBuilder(argv="poll.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    thread, worker = trace.thread("Thread-1 (_do_shutdown)"), trace.thread("asyncio_0")
    worker.native(0).sleep(10 * MS, site="/app/poll.py:5 poll").native(10 * MS + asleep_ns)
    thread.running(9 * MS)
    lock, stack = trace.lock("executor shutdown", ""), f"{JOIN}\n/usr/lib/python3.13/{by}"
    thread.lock_wait(10 * MS, "executor shutdown", lock=lock, site=JOIN, stack=stack)
    worker.release(810 * MS, lock, to=thread).end(810 * MS)
    thread.running(810 * MS).end(811 * MS)
    main.end(820 * MS)
    return trace.ended(830 * MS)


def test_a_loop_ends_after_a_job_that_sleeps(tmp_path):
    (found,) = find_in(tmp_path, loop_ends())
    assert found.finding == "slow end"
    assert found.text == (
        "Slow end: the event loop waits for the end of `asyncio_0`, a job of its executor, "
        "when the main task is over: 800 ms (at 10.0 ms), 98 % of that time asleep in `poll` "
        "(poll.py:5)."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"asleep_ns": 600 * MS}, id="it works on"),
        pytest.param(
            {"by": "concurrent/futures/_base.py:647 Executor.__exit__"}, id="no loop"
        ),
    ],
)
def test_an_executor_that_works_to_its_end(tmp_path, story):
    assert kinds(tmp_path, loop_ends(**story)) == []


TIMER = "/usr/lib/python3.13/threading.py:1340 Timer.run"
WAIT = "/usr/lib/python3.13/threading.py:363 Condition.wait"
OVER, WATCH = "/usr/lib/python3.13/threading.py:1540 _shutdown", "/app/job.py:6 watch"


def timers(ns=800 * MS, fired=True, stack=OVER, waits=TIMER):
    """The program is over at 10 ms, and its timer runs `ns` later."""
    trace = TraceBuilder(argv="job.py", signals=SIGNALS)
    main, timer = trace.thread("MainThread").native(0), trace.thread("Thread-1")
    begun = trace.instant(main.track, MS, s.THREAD_START, s.CAT_THREAD, site=WATCH)
    trace.arrow(begun, trace.instant(timer.track, MS, s.THREAD_STARTED, s.CAT_THREAD))
    finished, join = trace.lock("Event.wait", WAIT), trace.lock("Thread.join", OVER)
    timer.lock_wait(
        MS,
        "Event.wait",
        lock=finished,
        site=WAIT,
        stack=f"{WAIT}\n{waits}",
        acquired=not fired,
    )
    main.lock_wait(10 * MS, "Thread.join", lock=join, site=OVER, stack=stack)
    end = 10 * MS + ns
    other = trace.thread("other").native(0)
    if not fired:
        other.release(end, finished, to=timer)
    timer.native(end)
    timer.release(end + MS, join, to=main)
    timer.end(end + MS)
    main.native(end + MS).end(end + 2 * MS)
    other.end(end + 2 * MS)
    return trace.ended(end + 3 * MS)


def test_a_timer_that_nobody_cancels(tmp_path):
    (found,) = find_in(tmp_path, timers())
    assert found.finding == "slow end"
    assert found.text == (
        "Slow end: `MainThread` waits for `Thread-1`, a `threading.Timer` started in `watch` "
        "(job.py:6), when the program is over: 801 ms (at 10.0 ms), until its 809 ms are "
        "over. Nobody cancelled it."
    )
    assert found.next_step.startswith("Call its `cancel()`")


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 400 * MS}, id="not long"),
        pytest.param({"fired": False}, id="somebody cancelled it"),
        pytest.param({"stack": f"{JOIN}\n/app/job.py:9 <module>"}, id="it is joined"),
        pytest.param({"waits": "/app/job.py:30 paced"}, id="no timer"),
    ],
)
def test_timers_that_are_no_fault(tmp_path, story):
    assert "slow end" not in kinds(tmp_path, timers(**story))


LISTEN, MAIN = "/app/chat.py:6 listen", "/app/chat.py:9 main"


def listens(ns=1_500 * MS, what="Queue.get", again=False, shutdown="executor shutdown"):
    """A job waits for an item while the pool that it is in should end."""
    trace = TraceBuilder(argv="chat.py", signals=SIGNALS)
    main, job = trace.thread("MainThread").native(0), trace.thread("input_0")
    other, end = trace.thread("watchdog").native(0), 10 * MS + ns
    items, lock = trace.lock(what, LISTEN), trace.lock(shutdown, MAIN)
    job.lock_wait(MS, what, lock=items, site=LISTEN)
    main.lock_wait(10 * MS, shutdown, lock=lock, site=MAIN, stack=MAIN)
    if again:
        other.release(10 * MS + ns // 2, items, to=job)
        job.native(10 * MS + ns // 2)
        job.lock_wait(11 * MS + ns // 2, what, lock=items, site=LISTEN)
    other.release(end, items, to=job)
    job.native(end)
    job.release(end + MS, lock, to=main)
    job.end(end + MS)
    main.native(end + MS).end(end + 2 * MS)
    other.end(end + 2 * MS)
    return trace.ended(end + 3 * MS)


def test_a_job_that_waits_for_more(tmp_path):
    (found,) = find_in(tmp_path, listens())
    assert found.finding == "slow end"
    assert found.text == (
        "Slow end: `MainThread` in `main` (chat.py:9) waits for the end of a pool: 1.50 s (at "
        "10.0 ms). Meanwhile a job of it, on `input_0`, waits in `Queue.get` in `listen` "
        "(chat.py:6) for an item, until `watchdog` put it there."
    )
    assert found.next_step.startswith("Put a last item")


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 900 * MS}, id="not long"),
        pytest.param({"again": True}, id="it has work"),
        pytest.param({"what": "Lock"}, id="for a lock"),
        pytest.param({"shutdown": "Thread.join"}, id="no pool"),
    ],
)
def test_pools_that_end(tmp_path, story):
    assert "slow end" not in kinds(tmp_path, listens(**story))


FLUSH, SEND = "/app/stats.py:17 flush_at_exit", "/app/stats.py:11 send"
MODULE = "/app/stats.py:20 <module>"


def handler(
    each_ns=200 * MS, times=4, stack=(SEND, FLUSH), main=True, then=0, before=MODULE, later=""
):
    """An exit handler tries again and again, and sleeps in between."""
    trace = TraceBuilder(argv="stats.py", signals=SIGNALS)
    if not main:
        trace.thread("MainThread").native(0).end(MS)
    thread, at = trace.thread("MainThread" if main else "other").native(0), MS
    thread.io(1_000, "io.open", site=before, stack=before).native(2_000)
    for _ in range(times):
        said: dict[str, Arg] = {s.ARG_SITE: stack[0], s.ARG_STACK: "\n".join(stack)}
        thread.enter(at, s.SLEEP, s.CAT_SLEEP, said)
        thread.native(at + each_ns)
        at += each_ns + MS
    if later:
        thread.io(at, "socket.recv", site=later, stack=later).native(at + 30 * MS)
    thread.end(at + then + 40 * MS)
    return trace.ended(at + then + 41 * MS)


def test_an_exit_handler_that_sleeps_itself(tmp_path):
    (found,) = find_in(tmp_path, handler())
    assert (found.finding, found.severity_ns) == ("slow end", 800 * MS)
    assert found.text == (
        "Slow end: when the program is over, `MainThread` is in the exit handler "
        "`flush_at_exit` (stats.py:17) for 803 ms (at 1.00 ms), 99 % of that time asleep in "
        "`send` (stats.py:11)."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"times": 2}, id="not long"),
        pytest.param({"stack": (SEND, FLUSH, MODULE)}, id="the program is not over"),
        pytest.param({"main": False}, id="another thread"),
        pytest.param({"before": SEND}, id="no code of a module was there before"),
        pytest.param({"later": MODULE}, id="a greenlet's stack: the program goes on"),
        pytest.param({"then": 900 * MS}, id="a server in C: more comes"),
        pytest.param({"stack": ("/usr/lib/python3.13/sched.py:9 run",)}, id="a library's own"),
    ],
)
def test_pauses_that_are_no_slow_end(tmp_path, story):
    assert "slow end" not in kinds(tmp_path, handler(**story))


def left(interest=True, asleep_ns=600 * MS, jobs=2, wakes_ns=0, began_ns=300 * MS):
    """The program is over at 300 ms, of which the main thread waits for the first result; the
    worker has `jobs` left, or, if there are none, is asleep in its first one."""
    trace = TraceBuilder(argv="probe.py", signals=SIGNALS)
    main, worker = trace.thread("MainThread").running(0), trace.thread("probe_0").native(0)
    site, asleep = "/app/probe.py:5 probe", "/app/probe.py:6 probe"
    got, end = trace.lock("futures.as_completed", "/app/probe.py:9 first"), 300 * MS
    submitted = [main.submits(MS + n) for n in range(jobs + 1)]
    worker.runs(2 * MS, "probe", site, by=submitted[0])
    if interest:
        main.lock_wait(2 * MS, "futures.as_completed", lock=got, site="/app/probe.py:9 first")
    worker.sleep(began_ns if not jobs else 2 * MS, site=asleep)
    if jobs:
        worker.native(299 * MS)
    if interest:
        worker.release(299 * MS, got, to=main)
        main.running(299 * MS)
    join = trace.lock("Thread.join", OVER)
    main.lock_wait(end, "Thread.join", lock=join, site=OVER, stack=f"{JOIN}\n{OVER}")
    for submit in submitted[1:]:
        worker.runs(end + MS, "probe", site, by=submit).sleep(end + MS, site=asleep)
        worker.native(end + MS + asleep_ns)
        end += asleep_ns + 2 * MS
    if not jobs:
        end += asleep_ns
    worker.native(end).release(end + wakes_ns, join, to=main).end(end + wakes_ns)
    main.running(end + wakes_ns).end(end + wakes_ns + MS)
    return trace.ended(end + wakes_ns + 2 * MS)


def test_jobs_that_nobody_waits_for(tmp_path):
    (found,) = find_in(tmp_path, left())
    assert found.finding == "slow end"
    assert found.text == (
        "Slow end: when the program is over, `MainThread` waits 1.20 s (at 300 ms) for the "
        "end of a pool: 2 jobs of it, such as `probe` (probe.py:5), began only then, and "
        "nobody waits for their results; that one spent 99 % of that time asleep in `probe` "
        "(probe.py:6)."
    )
    assert found.next_step.startswith("End the pool with `shutdown(wait=False, cancel_futures")


def test_a_worker_that_sleeps_on(tmp_path):
    (found,) = find_in(tmp_path, left(interest=False, jobs=0, began_ns=100 * MS))
    assert found.text == (
        "Slow end: `MainThread` waits for the end of `probe_0`, when the program is over: "
        "600 ms (at 300 ms), 100 % of that time asleep in `probe` (probe.py:6)."
    )
    assert found.next_step.endswith("that event when nobody needs it any more.")


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"interest": False}, id="all that the program does"),
        pytest.param({"asleep_ns": 200 * MS}, id="soon over"),
        pytest.param({"jobs": 0, "interest": False, "wakes_ns": 100 * MS}, id="it goes on"),
        pytest.param(
            {"jobs": 0, "interest": False, "began_ns": 301 * MS}, id="it began its sleep later"
        ),
    ],
)
def test_an_exit_that_waits_for_work(tmp_path, story):
    assert kinds(tmp_path, left(**story)) == []


def stopped(times=4, looks=3, left_ns=250 * MS, work_ns=0, idle=False):
    """Each poller sleeps 300 ms at a time, and is joined while it sleeps for the last time;
    `left_ns` is what is left of that."""
    trace = TraceBuilder(argv="ring.py", signals=SIGNALS)
    main, now = trace.thread("MainThread").native(0), 0
    stops, asleep = "/app/ring.py:14 Ring.stop", "/app/ring.py:9 Ring.poll"
    for _ in range(times):
        poller, join = trace.thread("poller").native(now), trace.lock("Thread.join", stops)
        for look in range(looks + 1):
            if look < looks or not idle:
                poller.sleep(now, site=asleep)
            else:
                poller.io(now, "socket.recv", site=asleep)
            now += 300 * MS
            poller.native(now)
            now += work_ns if look < looks else MS
        main.lock_wait(now - MS - left_ns, "Thread.join", lock=join, site=stops, stack=stops)
        poller.release(now, join, to=main).end(now)
        main.native(now)
        now += MS
    main.end(now)
    return trace.ended(now + MS)


def test_a_stop_that_waits_for_a_sleep(tmp_path):
    (found,) = find_in(tmp_path, stopped())
    assert found.finding == "slow end"
    assert found.text == (
        "Slow end: `MainThread` in `Ring.stop` (ring.py:14) waits for the end of 4 threads "
        "`poller`: 4 times, 1.00 s in total, the longest 251 ms (at 950 ms), asleep in "
        "`Ring.poll` (ring.py:9). It mostly sleeps, "
        "and checks only when it wakes whether it should end."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"times": 1}, id="once"),
        pytest.param({"looks": 2}, id="it has hardly slept before"),
        pytest.param({"left_ns": 50 * MS}, id="soon over"),
        pytest.param({"work_ns": 200 * MS}, id="it works in between"),
        pytest.param({"idle": True}, id="it reads"),
    ],
)
def test_a_stop_that_waits_for_work(tmp_path, story):
    assert kinds(tmp_path, stopped(**story)) == []
