"""Twisted's coroutines, without a reactor: calling a Deferred back goes on with who waits."""

from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

import pytest

from tests.support.recordings import record_here, states_of, task_of, tasks_of, wakers
from tests.support.validator.rules import Summary

defer = pytest.importorskip("twisted.internet.defer")

type Steps = Generator[Any, Any, None]


def record(main: Callable[[], object], directory: Path) -> Summary:
    return record_here(main, directory / "t.pftrace")[0]


def ignored(failure: object) -> None:
    """An errback: the failure is no longer unhandled."""


def site(text: object, function: Callable[..., object], lines: int) -> bool:
    """Whether it is so many lines below the decorator, or the `async def`, of a function."""
    code = getattr(function, "__wrapped__", function).__code__
    return str(text).split()[0] == f"{__file__}:{code.co_firstlineno + lines}"


def test_lock_handed_on(tmp_path: Path) -> None:
    """Three coroutines take one lock in turn: each waits for the one that holds it then."""
    held = [defer.Deferred() for _ in range(3)]

    @defer.inlineCallbacks  # type: ignore[untyped-decorator]
    def take(lock: Any, n: int) -> Steps:
        yield lock.acquire()
        yield held[n]
        lock.release()

    def main() -> None:
        lock = defer.DeferredLock()
        for n in range(3):
            take(lock, n)
        for each in held:
            each.callback(None)

    summary = record(main, tmp_path)
    a, b, c = tasks_of(summary, "take")
    assert a.states == ["running", "await future", "ready", "running"]
    for task, owner in ((b, a), (c, a)):
        assert task.states[:4] == ["running", "await Lock", "ready", "running"]
        (wait,) = states_of(task, "await Lock")
        assert wait.begin.args["owner_task"] == owner.id
        assert site(wait.begin.args["owner_site"], take, 2)
        assert site(wait.begin.args["site"], take, 2)
        assert wait.begin.args["kind"] == "twisted.DeferredLock"
        assert wait.end is not None
        assert wait.end.args["acquired"] == 1
    assert {"waker_task": a.id} in wakers(b)
    assert {"waker_task": b.id} in wakers(c)
    (lock,) = summary.locks.values()
    assert len(lock.holders) == 3
    assert [task.end for task in (a, b, c)] == ["done"] * 3


def test_lock_kept_by_one_that_failed(tmp_path: Path) -> None:
    """It took the lock without waiting, and never awaited anything."""

    @defer.inlineCallbacks  # type: ignore[untyped-decorator]
    def save(lock: Any, is_bad: bool) -> Steps:
        yield lock.acquire()
        if is_bad:
            raise OSError("disk full")
        lock.release()

    def main() -> None:
        lock = defer.DeferredLock()
        for is_bad in (True, False):
            save(lock, is_bad).addErrback(ignored)

    summary = record(main, tmp_path)
    bad, good = tasks_of(summary, "save")
    assert bad.end == "failed: OSError"
    (wait,) = states_of(good, "await Lock")
    assert wait.begin.args["owner_task"] == bad.id
    assert site(wait.begin.args["owner_site"], save, 2)


def test_lock_that_a_callback_took(tmp_path: Path) -> None:
    """No coroutine has it: its owner is not known."""

    async def save(lock: Any) -> None:
        async with lock:
            pass

    def main() -> None:
        lock = defer.DeferredLock()
        lock.acquire()
        defer.ensureDeferred(save(lock))
        lock.release()

    summary = record(main, tmp_path)
    (wait,) = states_of(task_of(summary, "save"), "await Lock")
    assert "owner_task" not in wait.begin.args
    assert site(wait.begin.args["site"], save, 1)
    assert task_of(summary, "save").end == "done"


def test_lock_given_up(tmp_path: Path) -> None:
    """Whoever is cancelled while waiting for a lock does not get it."""

    @defer.inlineCallbacks  # type: ignore[untyped-decorator]
    def take(lock: Any) -> Steps:
        yield lock.acquire()

    def main() -> None:
        lock = defer.DeferredLock()
        lock.acquire()
        waiting = take(lock).addErrback(ignored)
        waiting.cancel()

    summary = record(main, tmp_path)
    (wait,) = states_of(task_of(summary, "take"), "await Lock")
    assert wait.end is not None
    assert wait.end.args["acquired"] == 0
    assert task_of(summary, "take").end == "cancelled"


def test_lock_run(tmp_path: Path) -> None:
    """The wait for the lock ends where the function begins for which it is taken."""
    called = [defer.Deferred() for _ in range(2)]

    @defer.inlineCallbacks  # type: ignore[untyped-decorator]
    def store(lock: Any, n: int) -> Steps:
        yield lock.run(called.__getitem__, n)

    def main() -> None:
        lock = defer.DeferredLock()
        for n in range(2):
            store(lock, n)
        for each in called:
            each.callback(None)

    summary = record(main, tmp_path)
    a, b = tasks_of(summary, "store")
    assert a.states == ["running", "await future", "ready", "running"]
    assert b.states[1:5] == ["await Lock", "ready", "running", "await future"]
    (lock,) = summary.locks.values()
    assert len(lock.holders) == 2


def test_tokens_taken_without_waiting(tmp_path: Path) -> None:
    """A wait for a semaphore says who has its tokens: not who gave one back."""

    async def download(tokens: Any, answer: Any) -> None:
        await tokens.acquire()
        await answer
        tokens.release()

    def main() -> None:
        tokens, answers = defer.DeferredSemaphore(2), [defer.Deferred() for _ in range(5)]
        for answer in answers[:3]:
            defer.ensureDeferred(download(tokens, answer))
        answers[0].callback(None)
        defer.ensureDeferred(download(tokens, answers[3]))

    summary = record(main, tmp_path)
    a, b, c, d = tasks_of(summary, "download")
    (wait,) = states_of(c, "await Semaphore")
    holders = str(wait.begin.args["holders"])
    assert (f"({a.id})" in holders, f"({b.id})" in holders) == (True, True)
    assert wait.begin.args["slots"] == 2
    assert {"waker_task": a.id} in wakers(c)
    (wait,) = states_of(d, "await Semaphore")
    holders = str(wait.begin.args["holders"])
    assert [f"({one.id})" in holders for one in (a, b, c)] == [False, True, True]


def test_queue(tmp_path: Path) -> None:
    """Who puts an item wakes who waits for one, though it has not waited itself."""

    @defer.inlineCallbacks  # type: ignore[untyped-decorator]
    def consume(queue: Any) -> Steps:
        yield queue.get()

    @defer.inlineCallbacks  # type: ignore[untyped-decorator]
    def produce(queue: Any) -> Steps:
        queue.put(1)
        yield defer.succeed(None)

    def main() -> None:
        queue = defer.DeferredQueue()
        consume(queue)
        produce(queue)

    summary = record(main, tmp_path)
    assert task_of(summary, "consume").states[:3] == ["running", "await Queue.get", "ready"]
    assert wakers(task_of(summary, "consume")) == [
        {"waker_task": task_of(summary, "produce").id}
    ]


def test_coroutines_that_await_each_other(tmp_path: Path) -> None:
    """Those that never wait are not told of."""
    answer = defer.Deferred()

    async def leaf() -> None:
        await defer.succeed(None)

    async def inner() -> None:
        await defer.ensureDeferred(leaf())
        await answer

    async def outer() -> None:
        await defer.ensureDeferred(inner())
        raise ValueError

    def main() -> None:
        defer.ensureDeferred(outer()).addErrback(ignored)
        answer.callback(None)

    summary = record(main, tmp_path)
    assert not tasks_of(summary, "leaf")
    assert task_of(summary, "inner").states == ["running", "await future", "ready", "running"]
    within = [state for state in task_of(summary, "outer").states if state.startswith("await")]
    assert [state.split(".")[-1] for state in within] == ["inner"]
    assert within[0].startswith("await task ")
    assert task_of(summary, "outer").end == "failed: ValueError"


def test_left_waiting(tmp_path: Path) -> None:
    """A coroutine whose Deferred nobody has any more is gone."""

    async def wait() -> None:
        await defer.Deferred()

    type Waits = Coroutine[Any, Any, None]

    def main() -> None:
        coroutine: Waits = wait()
        defer.ensureDeferred(coroutine)

    summary = record(main, tmp_path)
    assert task_of(summary, "wait").states[-1] == "await future"


def test_more_nested_than_are_kept(tmp_path: Path) -> None:
    """Each of very many coroutines that wait for one another has its wait and its end."""
    deep = 60  # a loop shows a little more

    @defer.inlineCallbacks  # type: ignore[untyped-decorator]
    def nest(n: int, awaited: Any) -> Steps:
        yield nest(n - 1, awaited) if n else awaited

    def main() -> None:
        awaited = defer.Deferred()
        nest(deep - 1, awaited)
        awaited.callback(None)

    nested = tasks_of(record(main, tmp_path), "nest")
    assert len(nested) == deep
    assert {task.end for task in nested} == {"done"}
