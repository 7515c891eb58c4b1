"""What came from outside while the loop was busy: when it came is not known, who ran is."""

from collections.abc import Callable
from pathlib import Path

from tests.support.builder.trace import Loop, Task, TraceBuilder
from tests.support.explaining import answer
from tests.support.models import model_of
from tests.support.numbers import MS
from viewer.analysis.causes.part import Cause, Kind
from viewer.analysis.why.step import Did
from viewer.analysis.why.worst import Problem
from viewer.render.text.steps import step_text
from viewer.render.text.why import paragraph

SITE = "/app/app.py:{} {}"


def step(loop: Loop, name: str, ready: int, start: int, end: int) -> Task:
    """A task that is ready since a moment and runs once (ms)."""
    task = loop.task(name, name=name, site=SITE.format(20, name)).ready(ready * MS)
    task.running(start * MS).done(end * MS)
    loop.step(task, start * MS, end * MS)
    return task


def reader(directory: Path, arrives: int, rest: Callable[[Loop], object]) -> Problem:
    """A task awaits a socket from 1 ms on; a callback sees at a moment that something came."""
    trace = TraceBuilder()
    loop = trace.loop(trace.thread("MainThread"))
    task = loop.task("read", name="read", site=SITE.format(1, "read")).ready(0).running(0)
    loop.step(task, 0, MS)
    task.awaits(MS, "socket", site=SITE.format(2, "read"))
    rest(loop)
    at = arrives * MS
    loop.callback("_read_ready", SITE.format(9, "_read_ready"), at, at + 2 * MS)
    task.ready(at + MS, waker="io").running(at + 2 * MS).done(at + 3 * MS)
    loop.step(task, at + 2 * MS, at + 3 * MS)
    model = model_of(directory, trace.ended(at + 4 * MS))
    return answer(model, task="read", at_ns=1_000_000_000 + 5 * MS).problems[0]


def shares(causes: tuple[Cause, ...]) -> list[tuple[Kind, str, float]]:
    return [(cause.kind, cause.who, cause.ns / MS) for cause in causes]


def test_a_loop_that_is_blocked_does_not_look(tmp_path: Path) -> None:
    def busy(loop: Loop) -> None:
        loop.select(MS, 10 * MS)
        step(loop, "report", 10, 10, 160)

    found = reader(tmp_path, 160, busy)
    unseen, outside = found.worst.causes
    assert shares((unseen, outside)) == [(Kind.UNSEEN, "", 151), (Kind.IO, "", 9)]
    assert shares(unseen.parts) == [
        (Kind.TASK, "report", 150),
        (Kind.CALLBACK, "_read_ready", 1),
    ]
    assert "its loop was too busy to check for events from outside" in paragraph(found)
    arrived = found.worst.path[-1]
    assert (arrived.did, (arrived.end_ns - arrived.start_ns) / MS) == (Did.IO, 151)
    said = "something arrived from outside the program, while the loop was busy"
    assert step_text(arrived) == said


def test_a_loop_that_waited_saw_it_at_once(tmp_path: Path) -> None:
    def idle(loop: Loop) -> None:
        step(loop, "report", 1, 1, 100)
        loop.select(100 * MS, 160 * MS)

    found = reader(tmp_path, 160, idle)
    assert shares(found.worst.causes) == [(Kind.IO, "", 160)]
    assert found.worst.path[-1].start_ns == found.worst.path[-1].end_ns


def test_a_poll_that_did_not_wait_found_what_was_there(tmp_path: Path) -> None:
    """uvloop's are shown; the one before it waited."""

    def polls(loop: Loop) -> None:
        loop.select(MS, 10 * MS)
        step(loop, "report", 10, 10, 99)
        loop.select(100 * MS - 9_000, 100 * MS)

    found = reader(tmp_path, 100, polls)
    assert shares(found.worst.causes) == [(Kind.UNSEEN, "", 91), (Kind.IO, "", 9)]


def test_it_came_after_the_last_poll_but_one(tmp_path: Path) -> None:
    """Polls are between a step and what became ready in it: at 60 and 110 ms."""

    def turns(loop: Loop) -> None:
        step(loop, "first", 2, 10, 60)
        step(loop, "second", 20, 60, 110)
        step(loop, "third", 70, 110, 111)

    found = reader(tmp_path, 111, turns)
    assert shares(found.worst.causes) == [(Kind.IO, "", 59), (Kind.UNSEEN, "", 52)]


def test_a_time_in_which_the_loop_may_have_polled_is_no_busy_one(tmp_path: Path) -> None:
    """Nothing of the loop is shown for 30 ms: it waited, or did not run."""

    def apart(loop: Loop) -> None:
        step(loop, "first", 2, 10, 60)
        step(loop, "second", 90, 90, 110)

    found = reader(tmp_path, 110, apart)
    assert shares(found.worst.causes) == [(Kind.IO, "", 89), (Kind.UNSEEN, "", 21)]
