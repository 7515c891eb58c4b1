"""One program on asyncio, uvloop, trio and gevent: who waited, how long, behind whom.

The program reads the clock before and after what begins or ends a wait. The recorded moment
lies between the two readings, however busy the machine is: no tolerance is needed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.four_loops import Kit, on_all_four, own_tid
from tests.support.recordings import states_of, wakers
from tests.support.validator.rules import Summary, TaskSummary
from tests.support.validator.slices import Slice

type NewKit = Callable[[], Kit]
now = time.monotonic_ns


def named(summary: Summary, name: str) -> TaskSummary:
    (task,) = (task for task in summary.tasks.values() if task.name == name)
    return task


def the_await(task: TaskSummary, what: str) -> Slice:
    """The one state of the task that begins so."""
    (found,) = (each for each in task.slices if each.begin.name.startswith(f"await {what}"))
    return found


def ran_after(task: TaskSummary, at_ns: int) -> Slice:
    """Its first step that ends after a moment."""
    steps = states_of(task, "running")
    return next(each for each in steps if each.end_ns is None or each.end_ns >= at_ns)


@on_all_four
def test_blocked_loop(new_kit: NewKit, tmp_path: Path) -> None:
    at: list[int] = []

    async def main(kit: Kit) -> None:
        bell = kit.event()

        async def victim() -> None:
            await kit.wait(bell)
            at.append(now())

        async def blocker() -> None:
            at.append(now())
            bell.set()
            at.append(now())
            time.sleep(0.02)
            at.append(now())

        await kit.together(victim=victim, blocker=blocker)

    summary = new_kit().record(main, tmp_path)
    victim, blocker = named(summary, "victim"), named(summary, "blocker")
    late = states_of(victim, "ready")[-1]
    assert late.end_ns is not None
    before_set, after_set, over, ran = at
    assert before_set <= late.begin.time_ns <= after_set
    assert over <= late.end_ns <= ran
    assert wakers(victim)[-1] == {"waker_task": blocker.id}
    behind = ran_after(blocker, over)
    assert behind.end_ns is not None
    assert behind.begin.time_ns <= late.begin.time_ns
    assert over <= behind.end_ns <= late.end_ns


@on_all_four
def test_lock_handed_on(new_kit: NewKit, tmp_path: Path) -> None:
    waits: dict[str, list[int]] = {}

    async def main(kit: Kit) -> None:
        lock, turn = kit.lock(), kit.event()

        def taking(name: str) -> Callable[[], Any]:
            async def take() -> None:
                asked = now()
                async with kit.held(lock):
                    got = now()
                    if name == "a":
                        await kit.wait(turn)
                    waits[name] = [asked, got, now()]

            return take

        async def opens() -> None:
            turn.set()

        takers = {name: taking(name) for name in "abc"}
        await kit.together(**takers, opens=opens)

    summary = new_kit().record(main, tmp_path)
    a, b, c = (named(summary, name) for name in "abc")
    for task, before in ((b, a), (c, b)):
        wait = next(
            each
            for each in task.slices
            if each.begin.name in ("await Lock", "await Semaphore")
        )
        asked, got, *_ = waits[task.name]
        gives = waits[before.name][2]
        assert asked <= wait.begin.time_ns
        assert wait.begin.args["owner_name"] == "a"
        assert wait.end_ns is not None
        assert gives <= wait.end_ns <= got
        assert wakers(task)[-1] == {"waker_task": before.id}
    (lock,) = (lock for lock in summary.locks.values() if lock.holders[:1] == ["a"])
    assert lock.holders == ["a", "b", "c"]


@on_all_four
def test_queue(new_kit: NewKit, tmp_path: Path) -> None:
    at: list[int] = []

    async def main(kit: Kit) -> None:
        queue = kit.queue()

        async def consumer() -> None:
            at.append(now())
            await kit.get(queue)
            at.append(now())

        async def producer() -> None:
            at.append(now())
            await kit.put(queue, 1)

        await kit.together(consumer=consumer, producer=producer)

    summary = new_kit().record(main, tmp_path)
    consumer, producer = named(summary, "consumer"), named(summary, "producer")
    wait = next(each for each in consumer.slices if each.begin.name.startswith("await "))
    assert wait.begin.name in ("await Queue.get", "await MemoryChannel.receive")
    asks, puts, got = at
    assert asks <= wait.begin.time_ns <= puts
    assert wait.end_ns is not None
    assert puts <= wait.end_ns <= got
    assert wakers(consumer)[-1] == {"waker_task": producer.id}


@on_all_four
def test_ends(new_kit: NewKit, tmp_path: Path) -> None:
    async def main(kit: Kit) -> None:
        async def waits() -> None:
            await kit.wait(kit.event())

        async def fails() -> None:
            await kit.step()
            raise ValueError

        async def works() -> None:
            await kit.step()

        await kit.cancelled("cancelled", waits)
        await kit.together(works=works, fails=fails)

    summary = new_kit().record(main, tmp_path)
    ends = {name: named(summary, name).end for name in ("cancelled", "works", "fails")}
    assert ends == {"cancelled": "cancelled", "works": "done", "fails": "failed: ValueError"}


@on_all_four
def test_cancelled(new_kit: NewKit, tmp_path: Path) -> None:
    """Since when it waited, who cancelled it, and that it heard of that at once."""
    at: list[int] = []

    async def main(kit: Kit) -> None:
        async def waits() -> None:
            at.append(now())
            try:
                await kit.wait(kit.event())
            finally:
                at.append(now())

        async def gives_up() -> None:
            await kit.cancelled("cancelled", waits)
            at.append(now())

        await kit.together(gives_up=gives_up)

    summary = new_kit().record(main, tmp_path)
    task, by = named(summary, "cancelled"), named(summary, "gives_up")
    wait, woken = the_await(task, "Event"), states_of(task, "ready")[-1]
    asked, heard, over = at
    assert wait.end_ns is not None
    assert woken.end_ns is not None
    assert asked <= wait.begin.time_ns <= wait.end_ns <= woken.end_ns <= heard
    assert wakers(task)[-1] == {"waker_task": by.id}
    last = task.slices[-1]
    assert last.end_ns is not None
    assert heard <= last.end_ns <= over


@on_all_four
def test_failed(new_kit: NewKit, tmp_path: Path) -> None:
    at: list[int] = []

    async def main(kit: Kit) -> None:
        async def fails() -> None:
            await kit.step()
            at.append(now())
            raise ValueError

        await kit.together(fails=fails)
        at.append(now())

    task = named(new_kit().record(main, tmp_path), "fails")
    last, (raised, over) = task.slices[-1], at
    assert task.end == "failed: ValueError"
    assert last.begin.time_ns <= raised
    assert last.end_ns is not None
    assert raised <= last.end_ns <= over


@on_all_four
def test_thread(new_kit: NewKit, tmp_path: Path) -> None:
    at: list[int] = []

    is_awaited = threading.Event()

    def work() -> None:
        at.extend((own_tid(), now()))
        is_awaited.wait()
        at.append(now())

    async def main(kit: Kit) -> None:
        async def asks() -> None:
            await kit.in_thread(work)
            at.append(now())

        async def sees() -> None:
            """Runs only while `asks` waits; else its own step could find the work done."""
            while not at:
                await kit.step()
            is_awaited.set()

        await kit.together(asks=asks, sees=sees)

    kit = new_kit()
    summary = kit.record(main, tmp_path)
    task = named(summary, "asks")
    wait = states_of(task, kit.executor)[-1]
    tid, began, ended, back = at
    assert began <= ended
    assert wait.end_ns is not None
    assert ended <= wait.end_ns <= back
    assert wakers(task)[-1] == {"waker_thread": tid}


@on_all_four
def test_loops_in_each_other(new_kit: NewKit, tmp_path: Path) -> None:
    """A loop in a thread that a task waits for: its task is there, and ends."""
    tids: list[int] = []
    at: list[int] = []

    async def main(kit: Kit) -> None:
        async def inside() -> None:
            tids.append(own_tid())
            await kit.together(inner=inner)

        async def inner() -> None:
            await kit.step()

        async def outer() -> None:
            at.append(now())
            await kit.elsewhere(inside)
            at.append(now())

        await kit.together(outer=outer)

    summary = new_kit().record(main, tmp_path)
    assert tids != [threading.get_native_id()]
    inner, outer = named(summary, "inner"), named(summary, "outer")
    assert (inner.end, outer.end) == ("done", "done")
    first, last = inner.slices[0], inner.slices[-1]
    assert last.end_ns is not None
    assert at[0] <= first.begin.time_ns
    assert last.end_ns <= at[1]


@pytest.mark.stress
@on_all_four
def test_ten_thousand_tasks(new_kit: NewKit, tmp_path: Path) -> None:
    async def main(kit: Kit) -> None:
        async def child() -> None:
            await kit.step()

        await kit.together(**{f"child {n}": child for n in range(10_000)})

    summary = new_kit().record(main, tmp_path)
    children = [
        task
        for task in summary.tasks.values()
        if task.coro.split("<locals>.")[-1] in ("child", "Gevent.drive")
        and task.name != "main"
    ]
    assert len(children) == 10_000
    assert {task.end for task in children} == {"done"}
    assert {task.states.count("running") for task in children} == {2}
