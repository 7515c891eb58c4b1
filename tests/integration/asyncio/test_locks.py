"""asyncio's locks: which task waited, behind whom, and no cost before anybody waits."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.recordings import record_here, tasks_of
from tests.support.validator.rules import Summary
from tests.support.validator.slices import Slice
from tracer import schema as s

HERE = __file__
TURNS = 3

Work = Callable[[], Awaitable[None]]
Use = Callable[[asyncio.Lock, Work], Awaitable[None]]


async def through_with(lock: asyncio.Lock, work: Work) -> None:
    async with lock:
        await work()


async def by_hand(lock: asyncio.Lock, work: Work) -> None:
    acquire, release = lock.acquire, lock.release
    await acquire()
    try:
        await work()
    finally:
        release()


async def through_condition(lock: asyncio.Lock, work: Work) -> None:
    async with asyncio.Condition(lock):
        await work()


@dataclass
class Turn:
    """What a task saw of one of its turns."""

    who: str
    asked_ns: int
    in_ns: int = 0
    out_ns: int = 0


def waits_of(summary: Summary) -> list[Slice]:
    """Every `await Lock`, ordered by start time."""
    found = [
        each
        for task in summary.tasks.values()
        for each in task.slices
        if each.name == s.AWAIT_PREFIX + "Lock"
    ]
    return sorted(found, key=lambda each: each.start_ns)


def names_of(summary: Summary) -> dict[int, str]:
    """The task's latest name: an eager task gets its own only after its first step."""
    found: dict[int, str] = {}
    for task in summary.tasks.values():
        for each in task.slices:
            found[task.id] = str(each.begin.args.get(s.ARG_NAME, found.get(task.id, "")))
    return found


def line_of(function: Callable[..., object], line: int) -> str:
    """The place that is `line` lines below the first line of a function."""
    code = function.__code__
    return f"{HERE}:{code.co_firstlineno + line} {code.co_qualname}"


@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize("tasks", [2, 8])
@pytest.mark.parametrize("use", [through_with, by_hand, through_condition])
def test_every_wait_and_its_owner(tmp_path: Path, use: Use, tasks: int, eager: bool) -> None:
    turns: list[Turn] = []

    async def take_turns(lock: asyncio.Lock, who: str) -> None:
        for _ in range(TURNS):
            turn = Turn(who, time.monotonic_ns())

            async def work(turn: Turn = turn) -> None:
                turn.in_ns = time.monotonic_ns()
                turns.append(turn)
                await asyncio.sleep(0.001)
                turn.out_ns = time.monotonic_ns()

            await use(lock, work)

    async def main() -> None:
        lock = asyncio.Lock()
        if eager:
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        async with asyncio.TaskGroup() as group:
            for n in range(tasks):
                group.create_task(take_turns(lock, f"t{n}"), name=f"t{n}")

    summary, _ = record_here(lambda: asyncio.run(main()), tmp_path / "t.pftrace")
    names, waits = names_of(summary), waits_of(summary)
    ((_, lock),) = summary.locks.items()
    assert lock.kind == "asyncio.Lock"
    # Nobody waited yet when the first took it; the search finds it in an `async with lock`.
    known = lock.holds if use is through_with else lock.holds[-len(turns) + 1 :]
    assert lock.holders[-len(turns) + 1 :] == [turn.who for turn in turns[1:]]
    if use is through_with:
        assert lock.holders == [turn.who for turn in turns]
    for hold, turn in zip(known[::-1], turns[::-1], strict=False):
        assert hold.end_ns is not None
        assert hold.end_ns >= turn.out_ns
        assert hold.start_ns <= turn.in_ns or hold.args.get(s.ARG_SINCE_BEFORE)
    assert len(waits) == len(turns) - 1
    for turn in turns[1:]:
        (wait,) = [
            each
            for each in waits
            if names[task_at(summary, each)] == turn.who
            and turn.asked_ns <= each.start_ns <= turn.in_ns
        ]
        assert wait.end_ns is not None
        assert wait.end_ns <= turn.in_ns
        assert wait.args[s.ARG_ACQUIRED] == 1
        had_it = [each for each in turns if each.in_ns < wait.start_ns < each.out_ns]
        if s.ARG_OWNER_TASK in wait.args:  # held it then, or took it next because it was free
            later = [each for each in turns if each.in_ns > wait.start_ns]
            owner = names[int(wait.args[s.ARG_OWNER_TASK])]
            assert owner == (had_it or later)[0].who
        else:
            assert use is not through_with
            assert had_it == turns[:1]


def task_at(summary: Summary, wait: Slice) -> int:
    (task,) = [task for task in summary.tasks.values() if wait in task.slices]
    return task.id


def test_the_first_owner_is_found_with_its_line(tmp_path: Path) -> None:
    async def holder(lock: asyncio.Lock) -> None:
        for _ in "a":
            async with asyncio.Lock(), lock:
                try:
                    await asyncio.sleep(0.005)
                finally:
                    del _

    async def waiter(lock: asyncio.Lock) -> None:
        async with lock:
            pass

    async def main() -> None:
        lock = asyncio.Lock()
        await asyncio.gather(holder(lock), waiter(lock))

    summary, _ = record_here(lambda: asyncio.run(main()), tmp_path / "t.pftrace")
    (wait,) = waits_of(summary)
    (has_it,) = tasks_of(summary, "holder")
    assert wait.args[s.ARG_OWNER_TASK] == has_it.id
    assert wait.args[s.ARG_OWNER_NAME] == has_it.name
    assert wait.args[s.ARG_OWNER_SITE] == line_of(holder, 2)
    ((_, lock),) = summary.locks.items()
    first, second = lock.holds
    assert first.args[s.ARG_SINCE_BEFORE] == 1
    assert first.args[s.ARG_SITE] == line_of(holder, 2)
    assert second.args[s.ARG_SITE] == line_of(waiter, 1)
    assert s.ARG_SINCE_BEFORE not in second.args
    assert first.start_ns == wait.start_ns
    assert wait.end_ns is not None
    assert first.end_ns is not None
    assert wait.end_ns <= first.end_ns <= second.start_ns


@pytest.mark.parametrize("between", [0, 1, 2])
def test_the_first_owner_runs_as_an_eager_task_begins_to_wait(
    tmp_path: Path, between: int
) -> None:
    """Its `async with` is found in a frame that runs, below those of other eager tasks."""

    async def waiter(lock: asyncio.Lock) -> None:
        async with lock:
            pass

    async def step(lock: asyncio.Lock, more: int) -> None:
        async with asyncio.Lock():
            await eagerly(step(lock, more - 1) if more else waiter(lock))

    def eagerly(coroutine: Coroutine[None, None, None]) -> asyncio.Task[None]:
        loop = asyncio.get_running_loop()
        return asyncio.eager_task_factory(loop, coroutine)

    async def holder(lock: asyncio.Lock) -> None:
        async with asyncio.Lock(), lock:
            try:
                with contextlib.nullcontext():
                    task = eagerly(step(lock, between - 1) if between else waiter(lock))
                await asyncio.sleep(0)
            finally:
                del lock
        await task

    async def main() -> None:
        await holder(asyncio.Lock())

    summary, _ = record_here(lambda: asyncio.run(main()), tmp_path / "t.pftrace")
    (wait,) = waits_of(summary)
    (has_it,) = tasks_of(summary, "main")
    assert wait.args[s.ARG_OWNER_TASK] == has_it.id
    assert wait.args[s.ARG_OWNER_SITE] == line_of(holder, 1)
    ((_, lock),) = summary.locks.items()
    assert [each.args[s.ARG_OWNER_TASK] for each in lock.holds] == [
        has_it.id,
        tasks_of(summary, "waiter")[0].id,
    ]


def test_an_owner_that_shows_nowhere_is_unknown(tmp_path: Path) -> None:
    async def holder(lock: asyncio.Lock) -> None:
        await lock.acquire()
        await asyncio.sleep(0.002)
        lock.release()

    async def waiter(lock: asyncio.Lock) -> None:
        async with lock:
            pass

    async def main() -> None:
        lock = asyncio.Lock()
        await asyncio.gather(holder(lock), waiter(lock), waiter(lock))

    summary, _ = record_here(lambda: asyncio.run(main()), tmp_path / "t.pftrace")
    waits = waits_of(summary)
    assert len(waits) == 2
    ((_, lock),) = summary.locks.items()
    assert [each.args[s.ARG_OWNER_TASK] for each in lock.holds] == [
        task.id for task in tasks_of(summary, "waiter")
    ]
    # The first waiter takes it next, but was not yet the owner when the second began to wait.
    assert all(s.ARG_OWNER_TASK not in wait.args for wait in waits)


def test_a_wait_that_is_given_up_was_not_acquired(tmp_path: Path) -> None:
    async def impatient(lock: asyncio.Lock) -> None:
        async with asyncio.timeout(0.001):
            await lock.acquire()

    async def main() -> None:
        lock = asyncio.Lock()
        async with lock:
            with pytest.raises(TimeoutError):
                await asyncio.create_task(impatient(lock))

    summary, _ = record_here(lambda: asyncio.run(main()), tmp_path / "t.pftrace")
    (wait,) = waits_of(summary)
    assert wait.args[s.ARG_ACQUIRED] == 0
    assert wait.args[s.ARG_OWNER_TASK] == tasks_of(summary, "main")[0].id


def test_who_waits_for_his_own_lock(tmp_path: Path) -> None:
    async def twice(lock: asyncio.Lock) -> None:
        async with lock, lock:
            pass

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(twice(asyncio.Lock()), 0.001)

    summary, _ = record_here(lambda: asyncio.run(main()), tmp_path / "t.pftrace")
    (wait,) = waits_of(summary)
    assert wait.args[s.ARG_OWNER_TASK] == task_at(summary, wait)
    assert wait.args[s.ARG_OWNER_SITE] == line_of(twice, 1)


async def wait_for_event() -> None:
    event = asyncio.Event()
    asyncio.get_running_loop().call_soon(event.set)
    await event.wait()


async def wait_for_items() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue(1)
    for _ in range(2):
        asyncio.get_running_loop().call_soon(queue.put_nowait, 1)
        await queue.get()
    await queue.put(1)
    asyncio.get_running_loop().call_soon(queue.get_nowait)
    await queue.put(1)


def test_what_nobody_has_is_told_apart_by_what_is_waited_for(tmp_path: Path) -> None:
    async def main() -> None:
        await wait_for_event()
        await wait_for_items()

    summary, _ = record_here(lambda: asyncio.run(main()), tmp_path / "t.pftrace")
    found = [
        (each.name.removeprefix(s.AWAIT_PREFIX), each.args[s.ARG_LOCK], each.args)
        for task in summary.tasks.values()
        for each in task.slices
        if s.ARG_LOCK in each.args
    ]
    assert [name for name, _, _ in found] == ["Event", "Queue.get", "Queue.get", "Queue.put"]
    event, items, again, room = [id_ for _, id_, _ in found]
    assert items == again
    assert len({event, items, room}) == 3
    for _, _, args in found:
        assert args[s.ARG_ACQUIRED] == 1
        assert s.ARG_OWNER_TASK not in args
    assert not summary.locks


def test_connections_without_room_are_told_apart(tmp_path: Path) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        full: list[Any] = [asyncio.streams.FlowControlMixin(loop) for _ in range(2)]
        for each in (full[0], full[1], full[0]):
            each.pause_writing()
            loop.call_soon(each.resume_writing)
            await each._drain_helper()

    summary, _ = record_here(lambda: asyncio.run(main()), tmp_path / "t.pftrace")
    waits = [
        each.args
        for task in summary.tasks.values()
        for each in task.slices
        if each.name == f"{s.AWAIT_PREFIX}socket"
    ]
    one, other, again = [args[s.ARG_LOCK] for args in waits]
    assert one == again != other
    assert {args["kind"] for args in waits} == {"asyncio.StreamWriter.drain"}


def watched_locks() -> list[int]:
    """The local events that our tool has on the methods of asyncio.Lock."""
    (ours,) = [id_ for id_ in range(6) if sys.monitoring.get_tool(id_) == "tracer"]
    methods = (asyncio.Lock.acquire, asyncio.Lock.release)
    return [sys.monitoring.get_local_events(ours, method.__code__) for method in methods]


def test_locks_are_watched_from_the_first_wait_on(tmp_path: Path) -> None:
    seen: list[list[int]] = []

    async def main() -> None:
        lock = asyncio.Lock()
        async with lock:
            await asyncio.sleep(0)
        seen.append(watched_locks())
        await asyncio.gather(*(through_with(lock, lambda: asyncio.sleep(0)) for _ in "ab"))
        seen.append(watched_locks())

    for _ in range(2):
        summary, _ = record_here(lambda: asyncio.run(main()), tmp_path / "t.pftrace")
        assert len(waits_of(summary)) == 1
    returns = sys.monitoring.events.PY_RETURN
    assert seen == [[0, 0], [returns, returns]] * 2


@pytest.mark.parametrize("signals", [("tasks",), ("locks",)])
def test_without_one_of_the_signals_there_is_nothing(
    tmp_path: Path, signals: tuple[str, ...]
) -> None:
    async def main() -> None:
        lock = asyncio.Lock()
        await asyncio.gather(*(through_with(lock, lambda: asyncio.sleep(0)) for _ in "ab"))

    summary, _ = record_here(
        lambda: asyncio.run(main()), tmp_path / "t.pftrace", signals=signals
    )
    assert not summary.locks
    assert all(s.ARG_LOCK not in wait.args for wait in waits_of(summary))
