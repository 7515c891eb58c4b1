"""What a thread gave to a loop while that was busy, and what ended a poll of a loop."""

from pathlib import Path

import pytest

from tests.support.builder.threads import Thread
from tests.support.builder.trace import Loop, TraceBuilder
from tests.support.explaining import adds_up, answer, parts, path
from tests.support.models import model_of
from tests.support.numbers import MS
from viewer.analysis.causes.part import Kind
from viewer.analysis.why.step import Did, Step
from viewer.render.text.steps import step_text
from viewer.render.text.why import paragraph
from viewer.trace.sites import NOWHERE
from viewer.words import code

SITE = "/app/app.py:{} {}"


def program() -> tuple[TraceBuilder, Thread, Thread, Loop]:
    trace = TraceBuilder(signals="tasks,threads,io")
    main, pool = trace.thread("MainThread"), trace.thread("pool_0")
    return trace, main, pool, trace.loop(main)


def test_a_result_that_a_busy_loop_does_not_notice(tmp_path: Path) -> None:
    """The thread is done at 20 ms; until 160 ms another task computes."""
    trace, _, pool, loop = program()
    task = loop.task("fetch", name="fetch", site=SITE.format(1, "fetch")).ready(0).running(0)
    loop.step(task, 0, MS)
    task.awaits(MS, "executor", site=SITE.format(2, "fetch"))
    done = pool.wakes(20 * MS)
    pool.sleep(21 * MS, SITE.format(30, "idle"))
    busy = (
        loop.task("report", name="report", site=SITE.format(20, "report"))
        .ready(10 * MS)
        .running(10 * MS)
    )
    loop.step(busy, 10 * MS, 160 * MS)
    busy.done(160 * MS)
    at = 160 * MS
    site = SITE.format(9, "_set_state")
    handed = loop.callback("_set_state", site, at, at + MS, by=done)
    task.ready(at + 1, by=handed, waker_thread=pool.tid).running(at + MS).done(at + 2 * MS)
    loop.step(task, at + MS, at + 2 * MS)
    model = model_of(tmp_path, trace.ended(at + 3 * MS))
    found = answer(model, task="fetch", at_ns=1_000_000_000 + 5 * MS).problems[0]
    adds_up(found.worst.causes, 159 * MS + 1)
    unheard, waker = found.worst.causes
    assert (unheard.kind, unheard.ns) == (Kind.UNHEARD, 140 * MS + 1)
    assert (waker.kind, waker.who, waker.ns) == (Kind.WAKER, "pool_0", 19 * MS)
    assert parts(unheard.parts)[0] == (Kind.TASK, "report", 140)
    assert "it had been woken, but its loop had not noticed yet" in paragraph(found)


def polled(tmp_path: Path, call: str, *, by_thread: bool) -> tuple[TraceBuilder, Path]:
    """A loop that polls from 2 to 50 ms; it runs a callback of a thread, or a timer's task."""
    trace, main, pool, loop = program()
    main.io(2 * MS, call, site=SITE.format(3, "main"))
    main.end(50 * MS)
    loop.select(2 * MS, 50 * MS)
    if by_thread:
        pool.sleep(1 * MS, SITE.format(30, "work"))
        pool.end(49 * MS)
        given = pool.wakes(49 * MS)
        loop.callback("_set_state", SITE.format(9, "_set_state"), 50 * MS, 51 * MS, by=given)
    else:
        task = (
            loop.task("tick", name="tick", site=SITE.format(21, "tick"))
            .ready(51 * MS - 1, waker="timer")
            .running(51 * MS)
        )
        loop.step(task, 51 * MS, 52 * MS)
        task.done(52 * MS)
    return trace.ended(60 * MS), tmp_path


def test_a_poll_that_a_thread_ended_waited_for_that_thread(tmp_path: Path) -> None:
    trace, folder = polled(tmp_path, "select.epoll.poll", by_thread=True)
    found = answer(model_of(folder, trace), thread="MainThread").problems[0].worst
    assert parts(found.causes) == [(Kind.WAKER, "pool_0", 47), (Kind.WOKEN, "", 1)]
    assert parts(found.causes[0].parts) == [(Kind.SLEEP, "", 47)]
    assert path(found)[:2] == [
        "`MainThread` was in `select.epoll.poll` (app.py:3)",
        "`pool_0` was in `sleep` (app.py:30)",
    ]


def test_a_poll_that_a_timer_ended_waited_for_it(tmp_path: Path) -> None:
    trace, folder = polled(tmp_path, "select.epoll.poll", by_thread=False)
    found = answer(model_of(folder, trace), thread="MainThread").problems[0].worst
    assert parts(found.causes) == [(Kind.TIMER, "", 48)]
    assert path(found)[-1] == "a timer was due"


@pytest.mark.parametrize("call", ["select.epoll.poll", "epoll_pwait"])
def test_nobody_asks_why_a_loop_had_nothing_to_do(tmp_path: Path, call: str) -> None:
    """Whatever the call of its poll is named."""
    trace, folder = polled(tmp_path, call, by_thread=False)
    assert answer(model_of(folder, trace)).problems == ()


def test_a_write_without_a_known_place(tmp_path: Path) -> None:
    assert step_text(Step(Did.WROTE, "pool_0", "", "", 0, 0)) == "`pool_0` wrote to it"
    known = Step(Did.WROTE, "pool_0", "", SITE.format(7, "send"), 0, 0)
    assert step_text(known) == "`pool_0` wrote to it (app.py:7)"


def test_of_what_is_unknown_of_somebody_nothing_is_said(tmp_path: Path) -> None:
    """A thread that the trace knows only from the moment at which it gave the result."""
    trace, _, pool, loop = program()
    task = loop.task("fetch", name="fetch", site=SITE.format(1, "fetch")).ready(0).running(0)
    loop.step(task, 0, MS)
    task.awaits(MS, "executor", site=SITE.format(2, "fetch"))
    done = pool.wakes(80 * MS)
    site = SITE.format(9, "_set_state")
    handed = loop.callback("_set_state", site, 80 * MS, 81 * MS, by=done)
    task.ready(80 * MS + 1, by=handed, waker_thread=pool.tid).running(81 * MS).done(82 * MS)
    loop.step(task, 81 * MS, 82 * MS)
    model = model_of(tmp_path, trace.ended(83 * MS))
    said = paragraph(answer(model, task="fetch", at_ns=1_000_000_000 + 5 * MS).problems[0])
    assert "that time it waited for `pool_0`; other:" in said


def test_who_is_at_no_place_has_no_brackets() -> None:
    """A main greenlet, a coroutine of Cython's: what ran is no function of Python's."""
    assert code("main greenlet", NOWHERE) == "`main greenlet`"
    assert code("serve", SITE.format(7, "serve")) == "`serve` (app.py:7)"
    assert step_text(Step(Did.CALLBACK, "step", "", NOWHERE, 0, 0)) == "callback `step` ran"
