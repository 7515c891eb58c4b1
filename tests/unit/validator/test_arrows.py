"""The validator on arrows: a recorded waker has its chain, and what is open is counted."""

from collections.abc import Callable

import pytest

from tests.support.builder.threads import Thread
from tests.support.builder.trace import Loop, TraceBuilder
from tests.support.validator.rules import validate
from tracer import schema as s

CALLBACK = ("set_result", "app.py:9 set_result")
NEVER_RAN = "a callback or job that never ran"
NOT_SHOWN = "a step of a loop that is not shown"

Story = Callable[[Loop, Thread, Thread], None]


def told(story: Story) -> bytes:
    trace = TraceBuilder()
    main = trace.thread("MainThread")
    story(trace.loop(main), main, trace.thread("worker"))
    return trace.ended(100).data()


def by_a_thread(loop: Loop, main: Thread, worker: Thread) -> None:
    callback = loop.callback(*CALLBACK, 20, 25, by=worker.wakes(10))
    task = loop.task("f", site="app.py:1 f")
    task.ready(22, by=callback, waker_thread=worker.tid, via=CALLBACK[0])


def by_a_task(loop: Loop, main: Thread, worker: Thread) -> None:
    first = loop.task("g", site="app.py:5 g").ready(0).running(5)
    loop.step(first, 5, 8)
    assert first.state is not None
    callback = loop.callback(*CALLBACK, 20, 25, by=first.state)
    first.done(8)
    again = loop.callback("second", "app.py:10 second", 30, 35, by=callback)
    task = loop.task("f", site="app.py:1 f")
    task.ready(32, by=again, waker_task=first.id, via="second")


def by_a_timer(loop: Loop, main: Thread, worker: Thread) -> None:
    loop.callback(*CALLBACK, 20, 25)
    loop.task("f", site="app.py:1 f").ready(15, waker="timer", via=CALLBACK[0])


def cancelled(loop: Loop, main: Thread, worker: Thread) -> None:
    worker.wakes(10).flows.append(1)


def from_long_steps(loop: Loop, main: Thread, worker: Thread) -> None:
    first = loop.task("g", site="app.py:5 g").ready(0).running(5)
    loop.trace.begin(loop.running, 5, "g", s.CAT_LOOP, task=first.id)
    long = loop.wakes(7)
    loop.trace.end(loop.running, 8)
    first.done(8)
    loop.trace.arrow(long, loop.trace.begin(loop.running, 20, CALLBACK[0], s.CAT_LOOP))
    task = loop.task("f", site="app.py:1 f")
    task.ready(22, by=loop.wakes(22), waker_task=first.id, via=CALLBACK[0])
    loop.trace.end(loop.running, 25)


def on_a_loop_not_shown(loop: Loop, main: Thread, worker: Thread) -> None:
    task = loop.task("f", site="app.py:1 f")
    task.ready(22, by=main.wakes(22), waker_thread=worker.tid, via=CALLBACK[0])


@pytest.mark.parametrize(
    ("story", "reasons"),
    [
        (by_a_thread, {}),
        (by_a_task, {}),
        (by_a_timer, {}),
        (cancelled, {NEVER_RAN: 1}),
        (from_long_steps, {}),
        (on_a_loop_not_shown, {NOT_SHOWN: 1}),
    ],
)
def test_chains(story: Story, reasons: dict[str, int]) -> None:
    assert validate(told(story)).unknown == reasons


def none_at_all(loop: Loop, main: Thread, worker: Thread) -> None:
    loop.task("f", site="app.py:1 f").ready(22, waker_thread=worker.tid)


def none_into_the_callback(loop: Loop, main: Thread, worker: Thread) -> None:
    callback = loop.callback(*CALLBACK, 20, 25)
    task = loop.task("f", site="app.py:1 f")
    task.ready(22, by=callback, waker_thread=worker.tid, via=CALLBACK[0])


def from_another_thread(loop: Loop, main: Thread, worker: Thread) -> None:
    task = loop.task("f", site="app.py:1 f")
    task.ready(22, by=main.wakes(10), waker_thread=worker.tid)


def from_another_task(loop: Loop, main: Thread, worker: Thread) -> None:
    first = loop.task("g", site="app.py:5 g").ready(0).running(5)
    loop.step(first, 5, 8)
    task = loop.task("f", site="app.py:1 f")
    task.ready(7, by=first.state, waker_task=99)
    first.done(8)


def outside_any_step(loop: Loop, main: Thread, worker: Thread) -> None:
    loop.task("f", site="app.py:1 f").ready(22, by=loop.wakes(10), waker_task=1)


def from_a_ready_one(loop: Loop, main: Thread, worker: Thread) -> None:
    first = loop.task("g", site="app.py:5 g").ready(0)
    task = loop.task("f", site="app.py:1 f")
    task.ready(7, by=first.state, waker_task=first.id)


@pytest.mark.parametrize(
    ("story", "match"),
    [
        (none_at_all, "no arrow says who: .*'ready'"),
        (none_into_the_callback, "no arrow says who: .*'set_result'"),
        (from_another_thread, "not woken by thread"),
        (from_another_task, "not woken by task 99"),
        (outside_any_step, "an instant of a step outside any step"),
        (from_a_ready_one, "no step, callback or wake"),
    ],
)
def test_broken_chains_are_refused(story: Story, match: str) -> None:
    with pytest.raises(AssertionError, match=match):
        validate(told(story))


def test_lost_events_excuse() -> None:
    """The other end may be among what was dropped."""

    def story(loop: Loop, main: Thread, worker: Thread) -> None:
        none_at_all(loop, main, worker)
        trace = loop.trace
        trace.instant(trace.tracer, 50, s.EVENTS_DROPPED, s.CAT_TRACER, count=1, since_ns=40)

    assert validate(told(story)).unknown == {}
