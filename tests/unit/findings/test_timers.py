"""Timers of a loop that pile up, or that are put off while many wait."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.builder.wire import message
from tests.support.finding import MS, SIGNALS, find_in
from tracer import schema as s

STEP = 100 * MS
SET = "/app/session.py:13 send"
PENDING = f"{s.TIMERS_PENDING_PREFIX}1 Session.expire {SET}"
GREW = [256 + 200 * n for n in range(16)]


def session(counts, *, tasks=20, files=10):
    """The number of timers every 100 ms, and how many tasks and files there are."""
    trace = TraceBuilder(argv="session.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    track = trace.track(PENDING, b"", parent=trace.track(s.TRACK_QUEUES))
    for name, value in ((s.COUNTER_TASKS, tasks), (s.COUNTER_FILES, files)):
        trace.counter(trace.track(name, message(s.TRACK_COUNTER, b"")), MS, value)
    for n, count in enumerate(counts):
        trace.counter(track, n * STEP, count)
    main.end(len(counts) * STEP)
    return trace.ended(len(counts) * STEP + MS)


def test_timers_that_nobody_cancels(tmp_path):
    (found,) = find_in(tmp_path, session(GREW))
    assert (found.finding, found.severity_ns) == ("timers pile up", 1_500 * MS)
    assert found.text == (
        "Timers pile up: 256 of `Session.expire` waited in a loop at 0, 3,256 after 1.50 s, "
        "and the number rose all the time. They are set in `send` (session.py:13). Cancel a "
        "timer when what it guards is done (`TimerHandle.cancel`), or "
        "let one timer handle all of them."
    )
    assert found.evidence.site == SET


@pytest.mark.parametrize(
    ("counts", "tasks", "files"),
    [
        ([256 + 33 * n for n in range(16)], 20, 10),  # fewer than 500 more
        ([*GREW[:8], *[GREW[8]] * 24], 20, 10),  # as many as before since half of the time
        (GREW, 326, 10),  # one for each task …
        (GREW, 20, 326),  # … or connection
    ],
)
def test_few_timers_or_one_for_each(tmp_path, counts, tasks, files):
    assert not find_in(tmp_path, session(counts, tasks=tasks, files=files))


ADD, PUSH = "/app/batch.py:17 Batch.add", "/app/batch.py:31 push"
TIMER_NS = 80 * MS


def batch(pushes=20, *, every_ns=40 * MS, cancels=1, at_once=False, via="Batch.send"):
    """Tasks come one after the other, and each puts off the timer for all."""
    trace = TraceBuilder(argv="batch.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    name = f"{s.TIMERS_CANCELLED_PREFIX}0 Batch.send {ADD}"
    track = trace.track(name, b"", parent=trace.track(s.TRACK_QUEUES))
    end = (pushes - 1) * every_ns + TIMER_NS
    tasks = [loop.task("push", site=PUSH) for _ in range(pushes)]
    for n, task in enumerate(tasks):
        since = 0 if at_once else n * every_ns
        task.ready(since + n).running(since + n + 1).awaits(since + n + 2, "future", site=PUSH)
        loop.step(task, since + n + 1, since + n + 2)
        for k in range(cancels if n >= 5 else 0):  # one, or others between them
            trace.counter(track, n * every_ns + MS + k * 10 * MS, n * cancels + k)
    run = loop.callback("Batch.send", "/app/batch.py:20 Batch.send", end, end + MS)
    for n, task in enumerate(tasks):
        since = end + MS + 2 * n
        task.ready(end + n, by=run, via=via).running(since).done(since + 1)
        loop.step(task, since, since + 1)
    thread.end(end + 2 * MS)
    return trace.ended(end + 3 * MS)


def test_a_timer_that_is_put_off(tmp_path):
    (found,) = find_in(tmp_path, batch())
    assert found.finding == "missed wake-up"
    assert found.text == (
        "Missed wake-up: 20 tasks `push` in `push` (batch.py:31) waited up to 840 ms "
        "(at 2 ns) for what `Batch.send` does, which a timer of at most 80.0 ms is to call: "
        "that was cancelled in `Batch.add` (batch.py:17) 19 times or more meanwhile, each "
        "time for a new one. Limit how long the timer can be put off."
    )


@pytest.mark.parametrize(
    "how",
    [
        {"cancels": 0},
        {"pushes": 4},  # a burst
        {"every_ns": 3 * MS, "pushes": 40},  # somebody waits 2.5 times as long as the timer
        {"at_once": True},  # all came before the first one was cancelled
        {"via": "Batch.close"},
        {"cancels": 3},  # most are not of those who wait: it guards something else
    ],
)
def test_a_timer_that_is_meant_to_be(tmp_path, how):
    assert "missed wake-up" not in [one.finding for one in find_in(tmp_path, batch(**how))]


LIB = "/usr/lib/python3.13/threading.py"
TIMER = f"{LIB}:363 Condition.wait\n{LIB}:1340 Timer.run"
CHANGED = "/app/edit.py:16 changed"


def threads(timers=80, every_ns=12 * MS, takes_ns=1_600 * MS, over=True):
    """Each change starts a timer of threading's; `over`: the program waits for all of them."""
    trace = TraceBuilder(argv="edit.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    for n in range(timers):
        at = MS + n * every_ns
        timer, finished = trace.thread(f"Thread-{n}"), trace.lock("Event.wait", f"{TIMER}{n}")
        begun = trace.instant(main.track, at, s.THREAD_START, s.CAT_THREAD, site=CHANGED)
        trace.arrow(begun, trace.instant(timer.track, at, s.THREAD_STARTED, s.CAT_THREAD))
        timer.lock_wait(
            at, "Event.wait", lock=finished, site=TIMER.split("\n")[0], stack=TIMER,
            acquired=False,
        )  # fmt: skip
        if over:
            timer.native(at + takes_ns).end(at + takes_ns + MS)
    end = timers * every_ns + (takes_ns if over else 0) + 10 * MS
    main.end(end)
    return trace.ended(end + MS)


def test_a_thread_for_each_timer(tmp_path):
    (found,) = find_in(tmp_path, threads())
    assert (found.finding, found.severity_ns) == ("timers pile up", 912 * MS)
    assert found.text == (
        "Timers pile up: 4 threads waited for a `threading.Timer` at 37.0 ms, 80 after "
        "912 ms, and the number rose all the time; each waits for up to 1.60 s. They are "
        "started in `changed` (edit.py:16). Cancel a timer when the next one replaces it "
        "(`Timer.cancel`), or let one thread handle all of them."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"timers": 50, "every_ns": 20 * MS}, id="few"),
        pytest.param({"every_ns": MS}, id="all at once"),
        pytest.param({"takes_ns": 300 * MS}, id="as many as before come to their end"),
    ],
)
def test_timers_that_come_to_their_end(tmp_path, story):
    assert not find_in(tmp_path, threads(**story))


def test_timers_that_never_end_are_told_as_such(tmp_path):
    (found,) = find_in(tmp_path, threads(over=False))
    assert found.finding == "workers never exit"
