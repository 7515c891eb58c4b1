"""Threads that sleep on when another one has done what they need."""

import pytest

from tests.support.builder.encoding import Arg
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

ASLEEP, ASKS = "/app/auth.py:20 refresh", "/app/auth.py:8 request"
CALLS = "/app/auth.py:17 refresh"
TOP = "/app/auth.py:40 serve"


def tokens(ns=1_000 * MS, took_ns=200 * MS, threads=3, askers=1, again=False, line=CALLS):
    """`askers` ask for a token inside of `refresh`, while the others sleep in it."""
    trace = TraceBuilder(argv="auth.py", signals=SIGNALS)
    every = [trace.thread(f"request-{n}").native(0) for n in range(threads + askers - 1)]
    for thread in every[:askers]:
        thread.io(MS, "socket.recv", site=ASKS, stack=f"{ASKS}\n{line}\n{TOP}")
        thread.native(MS + took_ns)
    for n, thread in enumerate(every[askers:]):
        site, stack = s.ARG_SITE, s.ARG_STACK
        asleep: dict[str, Arg] = {site: ASLEEP, stack: f"{ASLEEP}\n{TOP}"}
        thread.enter(10 * MS, s.SLEEP, s.CAT_SLEEP, asleep).native(10 * MS + ns + n * took_ns)
        if again:
            at = 12 * MS + ns + n * took_ns
            thread.io(at, "socket.recv", site=ASKS, stack=f"{ASKS}\n{line}\n{TOP}")
            thread.native(at + took_ns - 3 * MS)
    for thread in every:
        thread.end(3_000 * MS)
    return trace.ended(3_001 * MS)


def test_they_sleep_on(tmp_path):
    (found,) = find_in(tmp_path, tokens())
    assert found.finding == "missed wake-up"
    assert found.text == (
        "Missed wake-up: 2 threads `request-N` sleep in `refresh` (auth.py:20) until another "
        "one in that function has done what they need, which took it 200 ms (100 % of that "
        "time in `socket.recv` in `request` (auth.py:8)), and sleep on when it is done: 2 "
        "times, 1.82 s lost in all, up to 1.01 s (at 201 ms)."
    )
    assert found.next_step.startswith("Let whoever does it set an event")


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"threads": 2}, id="one alone"),
        pytest.param({"ns": 400 * MS}, id="little is lost"),
        pytest.param({"took_ns": 800 * MS}, id="they mostly wait for it"),
        pytest.param({"askers": 2}, id="several ask"),
        pytest.param({"again": True}, id="they try again"),
        pytest.param({"line": "/app/auth.py:50 login"}, id="it is elsewhere"),
    ],
)
def test_pauses_of_their_own(tmp_path, story):
    assert "missed wake-up" not in kinds(tmp_path, tokens(**story))


SCHED = "/usr/lib/python3.13/sched.py"
ASLEEP_IN = f"{SCHED}:151 scheduler.run"
RUNS, ENTERS = "/app/jobs.py:12 run_timers", "/app/jobs.py:30 send_now"


def scheduler(asleep_ms=1_500, sooner_ms=1_200, jobs=1, itself=False, slept=ASLEEP_IN):
    """A job is entered 100 ms after a thread has begun to sleep."""
    trace = TraceBuilder(argv="jobs.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    timers = trace.thread("timers").native(0)
    args: dict[str, Arg] = {s.ARG_SITE: RUNS, s.ARG_STACK: f"{slept}\n{RUNS}"}
    timers.enter(MS, s.SLEEP, s.CAT_SLEEP, args).native((1 + asleep_ms) * MS)
    by = timers if itself else main
    for n in range(jobs):
        args = {s.ARG_SOONER: sooner_ms * MS, s.ARG_SITE: ENTERS}
        trace.instant(by.track, (101 + n) * MS, s.ENTERED_FIRST, s.CAT_THREAD, **args)
    for thread in (main, timers):
        thread.end(3_000 * MS)
    return trace.ended(3_001 * MS)


def test_a_scheduler_sleeps_on(tmp_path):
    (found,) = find_in(tmp_path, scheduler())
    assert (found.finding, found.severity_ns) == ("missed wake-up", 1_200 * MS)
    assert found.text == (
        "Missed wake-up: `MainThread` in `send_now` (jobs.py:30) entered a job that is due "
        "before all others of a scheduler, while `timers` slept in `scheduler.run` in "
        "`run_timers` (jobs.py:12) until the next one: 1 time, 1.20 s too late in all, up to "
        "1.20 s (at 101 ms)."
    )


def test_its_sleep_ends_sooner(tmp_path):
    """As somebody has ended it, and the job came then; each of them is late."""
    (found,) = find_in(tmp_path, scheduler(asleep_ms=400, jobs=2))
    assert found.severity_ns == 599 * MS


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"sooner_ms": 490}, id="it is little"),
        pytest.param({"asleep_ms": 590}, id="it wakes soon"),
        pytest.param({"asleep_ms": 90}, id="it does not sleep then"),
        pytest.param({"itself": True}, id="a thread that cannot be asleep"),
        pytest.param({"slept": RUNS}, id="another sleep"),
    ],
)
def test_schedulers_that_are_in_time(tmp_path, story):
    assert "missed wake-up" not in kinds(tmp_path, scheduler(**story))
