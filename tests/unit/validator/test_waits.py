"""The validator on what a lock wait leaves open: refused, or counted with a reason."""

from collections.abc import Callable

import pytest

from tests.support.builder.threads import Lock, Thread
from tests.support.builder.trace import TraceBuilder
from tests.support.validator.rules import validate
from tracer import schema as s

ALL = "tasks,threads,gc,gil,locks,io,sched"
NO_OWNER = "nobody is known to have had it: Lock"
NO_WAKER = "nobody is known to have ended it: "

Story = Callable[[Thread, Thread, Lock], None]


def told(story: Story, signals: str = ALL) -> bytes:
    trace = TraceBuilder(signals=signals)
    lock = trace.lock("Lock", "app.py:1 f")
    story(trace.thread("MainThread"), trace.thread("worker"), lock)
    return trace.ended(1_000).data()


def waits(worker: Thread, kind: str, lock: Lock, owner: Thread | None = None) -> None:
    """From 10 to 20."""
    worker.lock_wait(10, kind, lock=lock, owner=owner, acquired=True)


def whole(main: Thread, worker: Thread, lock: Lock) -> None:
    lock.hold(10, 20, main)
    waits(worker, "Lock", lock, main)
    main.running(0).release(20, lock, to=worker).end(25)
    worker.gil_wait(20).running(25).end(30)


def owner_unknown(main: Thread, worker: Thread, lock: Lock) -> None:
    waits(worker, "Lock", lock)
    main.running(0).release(20, lock, to=worker).end(25)
    worker.running(25).end(30)


def waker_unknown(_main: Thread, worker: Thread, lock: Lock) -> None:
    waits(worker, "SimpleQueue.get", lock)
    worker.running(20).end(30)


def given_up(_main: Thread, worker: Thread, lock: Lock) -> None:
    worker.lock_wait(10, "Event.wait", lock=lock, acquired=False).running(20).end(30)


def joins_whom(main: Thread, worker: Thread, lock: Lock) -> None:
    waits(worker, "Thread.join", lock)
    main.running(0).release(20, lock, to=worker).end(25)
    worker.running(25).end(30)


def unnamed(_main: Thread, worker: Thread, _lock: Lock) -> None:
    worker.enter(10, s.LOCK_WAIT_PREFIX + "sem_wait", s.CAT_LOCK).running(20).end(30)


def open_at_the_end(_main: Thread, worker: Thread, lock: Lock) -> None:
    waits(worker, "Lock", lock)


@pytest.mark.parametrize(
    ("story", "reasons"),
    [
        (whole, {}),
        (owner_unknown, {NO_OWNER: 1}),
        (waker_unknown, {NO_WAKER + "SimpleQueue.get": 1}),
        (given_up, {}),
        (joins_whom, {"nobody is known to have had it: Thread.join": 1}),
        (unnamed, {"no lock is known: sem_wait": 1}),
        (open_at_the_end, {}),
    ],
)
def test_reasons(story: Story, reasons: dict[str, int]) -> None:
    assert validate(told(story)).unknown == reasons


def had_by_somebody(main: Thread, worker: Thread, lock: Lock) -> None:
    lock.hold(5, 20, main)
    waits(worker, "Lock", lock)
    worker.running(20).end(30)


def without_the_arrow(main: Thread, worker: Thread, lock: Lock) -> None:
    waits(worker, "SimpleQueue.get", lock)
    main.running(0).release(15, lock).end(18)
    worker.running(20).end(30)


@pytest.mark.parametrize(
    ("story", "match"),
    [
        (had_by_somebody, "a lock wait without owner while 'MainThread' has it"),
        (without_the_arrow, "a wait that was ended, and a release without an arrow"),
    ],
)
def test_what_the_trace_knows(story: Story, match: str) -> None:
    with pytest.raises(AssertionError, match=match):
        validate(told(story))


def test_arrows_need_the_lane() -> None:
    """Without the signal gil a wait is followed by nothing that an arrow could lead to."""

    def story(main: Thread, worker: Thread, lock: Lock) -> None:
        waits(worker, "SimpleQueue.get", lock)
        worker.end(20)
        main.release(15, lock)

    assert validate(told(story, "locks,io")).unknown == {NO_WAKER + "SimpleQueue.get": 1}
