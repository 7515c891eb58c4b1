"""The validator on what an await leaves open: refused, or counted with a reason."""

from collections.abc import Callable

import pytest

from tests.support.builder.threads import Lock
from tests.support.builder.trace import Loop, TraceBuilder
from tests.support.validator.rules import validate
from tracer import schema as s

Story = Callable[[Loop, Lock], None]


def told(story: Story) -> bytes:
    trace = TraceBuilder(signals="tasks,threads,gil,locks,io")
    loop = trace.loop(trace.thread("MainThread"))
    story(loop, trace.lock("asyncio.Lock", "app.py:1 f"))
    return trace.ended(1_000).data()


def begun(loop: Loop, what: str, acquired: bool = True, **args: int) -> None:
    """A task that awaits from 20 to 30."""
    task = loop.task("waits", site="app.py:1 waits")
    task.ready(0, waker="timer").running(10).awaits(20, what, acquired=acquired, **args)
    loop.step(task, 10, 20)
    task.ready(30, waker="io").running(40).done(50)
    loop.step(task, 40, 50)


def whole(loop: Loop, lock: Lock) -> None:
    begun(loop, "Lock", lock=lock.id, owner_task=99)
    begun(loop, "Event", lock=7)
    begun(loop, "sleep")


def given_up(loop: Loop, lock: Lock) -> None:
    begun(loop, "Queue.get", acquired=False, lock=lock.id)


def unnamed(loop: Loop, _lock: Lock) -> None:
    begun(loop, "Semaphore")


def owner_unknown(loop: Loop, lock: Lock) -> None:
    begun(loop, "Lock", lock=lock.id)


def waker_unknown(loop: Loop, _lock: Lock) -> None:
    task = loop.task("waits", site="app.py:1 waits")
    task.ready(0).running(10).awaits(20, "future").ready(30).running(40).ready(50)
    loop.step(task, 10, 20)
    loop.step(task, 40, 50)


@pytest.mark.parametrize(
    ("story", "reasons"),
    [
        (whole, {}),
        (given_up, {}),
        (unnamed, {"no lock is known: await Semaphore": 1}),
        (owner_unknown, {"nobody is known to have had it: await Lock": 1}),
        (waker_unknown, {"nobody is known to have ended it: await future": 1}),
    ],
)
def test_reasons(story: Story, reasons: dict[str, int]) -> None:
    assert validate(told(story)).unknown == reasons


def had_by_somebody(loop: Loop, lock: Lock) -> None:
    lock.hold(15, 30, loop.task("has_it"))
    begun(loop, "Lock", lock=lock.id)


def outcome_unknown(loop: Loop, lock: Lock) -> None:
    begun(loop, "Event", lock=lock.id)
    for event in loop.trace.events:
        event.args.pop(s.ARG_ACQUIRED, None)


@pytest.mark.parametrize(
    ("story", "match"),
    [
        (had_by_somebody, "an await of a lock without owner while 'Task-1' has it"),
        (outcome_unknown, "does not say whether it was got"),
    ],
)
def test_what_the_trace_knows(story: Story, match: str) -> None:
    with pytest.raises(AssertionError, match=match):
        validate(told(story))
