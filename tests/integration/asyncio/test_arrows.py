"""Arrows from thread to thread and loop to loop, as Perfetto draws them."""

import asyncio
import functools
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.recordings import record_here, task_of, wakers
from tests.support.trace_processor import open_trace
from tests.support.validator.arrows import NEVER_RAN, NOT_SHOWN
from tracer import schema as s

FLOWS = """
    select a.name as source, coalesce(ta.name, ka.name) as at, p.name as step,
           b.name as target, coalesce(tb.name, kb.name) as into_
    from flow f
    join slice a on f.slice_out = a.id join track ka on a.track_id = ka.id
    left join slice p on a.parent_id = p.id
    left join thread_track xa on xa.id = ka.id left join thread ta on xa.utid = ta.utid
    join slice b on f.slice_in = b.id join track kb on b.track_id = kb.id
    left join thread_track xb on xb.id = kb.id left join thread tb on xb.utid = tb.utid
    order by b.ts
"""
LOOP = s.TRACK_RUNNING_TASK
SET_RESULT = "_asyncio.Future.set_result"


@dataclass(frozen=True)
class End:
    """One end of an arrow: a slice or instant, and the thread or track it is on."""

    name: str
    place: str


type Arrow = tuple[End, End]


def source(row: dict[str, Any]) -> End:
    """The events that can show a step: its slice, the task's, or an instant inside it."""
    if row["at"] == LOOP and row["source"] in (s.WAKE, s.SUBMIT):
        return End(row["step"], LOOP)
    if row["source"] == s.RUNNING:
        return End(row["at"].rpartition(" ")[2].removesuffix("()"), LOOP)
    return End(row["source"], row["at"])


def arrows(path: Path) -> list[Arrow]:
    with open_trace(path) as tp:
        return [(source(row), End(row["target"], row["into_"])) for row in tp.query(FLOWS)]


def back_from(found: list[Arrow], target: End) -> list[End]:
    """The chain that ends in the last arrow into the target, from there backwards."""
    chain = [target]
    for source, into in reversed(found):
        if into == chain[-1]:
            chain.append(source)
    return chain


def recorded(main: Callable[[], Any], tmp_path: Path) -> tuple[Any, list[Arrow]]:
    path = tmp_path / "t.pftrace"
    summary, _ = record_here(main, path)
    assert not {NEVER_RAN, NOT_SHOWN} & set(summary.unknown)
    return summary, arrows(path)


def ready_of(summary: Any, coro: str) -> End:
    """A `ready` slice of the only task of a coroutine."""
    task = task_of(summary, coro)
    return End(s.READY, f"{task.name} {task.coro}()")


def step_of(summary: Any, coro: str) -> End:
    return End(task_of(summary, coro).coro, LOOP)


def test_call_soon_threadsafe(tmp_path: Path) -> None:
    """Arrows lead from the thread into the callback, and from there to the task."""

    async def waiter() -> None:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        thread = threading.Thread(
            target=loop.call_soon_threadsafe, args=(future.set_result, None), name="setter"
        )
        thread.start()
        await future
        thread.join()

    summary, found = recorded(lambda: asyncio.run(waiter()), tmp_path)
    ready = ready_of(summary, "waiter")
    assert back_from(found, ready) == [ready, End(SET_RESULT, LOOP), End(s.WAKE, "setter")]


def test_run_coroutine_threadsafe(tmp_path: Path) -> None:
    """Arrows lead from the thread to the new task, and back with the result."""

    async def there() -> int:
        return 1

    async def main() -> None:
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def ask() -> None:
            asyncio.run_coroutine_threadsafe(there(), loop).result()
            loop.call_soon_threadsafe(done.set)

        thread = threading.Thread(target=ask, name="asks")
        thread.start()
        await done.wait()
        thread.join()

    summary, found = recorded(lambda: asyncio.run(main()), tmp_path)
    ready = ready_of(summary, "there")
    callback = End("run_coroutine_threadsafe.<locals>.callback", LOOP)
    assert back_from(found, ready) == [ready, callback, End(s.WAKE, "asks")]
    running = step_of(summary, "there")
    assert (running, End("_chain_future.<locals>._call_set_state", LOOP)) in found
    waits = [
        each.name.removeprefix(s.LOCK_WAIT_PREFIX)
        for lane in summary.lanes.values()
        if lane.name == "asks"
        for each in lane.slices
        if each.category == s.CAT_LOCK
    ]
    if "Future.result" in waits:  # otherwise the result was there before anybody asked for it
        assert (End(s.RELEASE, "MainThread"), "asks") in [(a, b.place) for a, b in found]


@pytest.mark.parametrize("how", ["to_thread", "run_in_executor"])
def test_executor(tmp_path: Path, how: str) -> None:
    """Arrows lead from the submitting step to the worker, and from its result to the task."""

    async def waiter() -> None:
        awaited = threading.Event()  # or else the job may be over before anyone waits for it

        def job() -> None:
            awaited.wait()

        loop = asyncio.get_running_loop()
        loop.call_soon(awaited.set)
        if how == "to_thread":
            await asyncio.to_thread(job)
            return
        with ThreadPoolExecutor(1, "asyncio") as pool:
            await loop.run_in_executor(pool, job)

    summary, found = recorded(lambda: asyncio.run(waiter()), tmp_path)
    ready = ready_of(summary, "waiter")
    set_state = End("_chain_future.<locals>._set_state", LOOP)
    assert back_from(found, ready) == [ready, set_state, End(s.WAKE, "asyncio_0")]
    submitted = step_of(summary, "waiter"), End(s.RUN, "asyncio_0")
    assert submitted in found
    with open_trace(tmp_path / "t.pftrace") as tp:
        names = tp.query(
            "select extract_arg(arg_set_id, 'debug.name') as name from slice"
            f" where name = '{s.RUN}'"
        )
    assert [row["name"].rpartition(".")[2] for row in names] == ["job"]


def test_jobs_of_threads(tmp_path: Path) -> None:
    """Submit, run and wait for the result in every way; also queued behind another job."""

    def main() -> None:
        with ThreadPoolExecutor(1, "worker") as pool:
            futures = [pool.submit(int) for _ in range(3)]
            assert [future.result() for future in futures] == [0, 0, 0]

    _, found = recorded(main, tmp_path)
    assert found.count((End(s.SUBMIT, "MainThread"), End(s.RUN, "worker_0"))) == 3


def test_another_loop(tmp_path: Path) -> None:
    """Arrows lead from a task of one loop through a callback of the other to its task."""
    ready_to_be_set: list[asyncio.Future[None]] = []
    is_waiting = threading.Event()

    async def waiter() -> None:
        ready_to_be_set.append(asyncio.get_running_loop().create_future())
        asyncio.get_running_loop().call_soon(is_waiting.set)
        await ready_to_be_set[0]

    async def setter() -> None:
        future = ready_to_be_set[0]
        future.get_loop().call_soon_threadsafe(future.set_result, None)

    def main() -> None:
        other = threading.Thread(target=lambda: asyncio.run(waiter()), name="other")
        other.start()
        is_waiting.wait()
        asyncio.run(setter())
        other.join()

    summary, found = recorded(main, tmp_path)
    ready = ready_of(summary, "waiter")
    chain = back_from(found, ready)
    assert chain[:3] == [
        ready,
        End(SET_RESULT, LOOP),
        step_of(summary, "setter"),
    ]


def test_callbacks_of_futures(tmp_path: Path) -> None:
    """Arrows lead from a task to what it schedules, and on from callback to callback."""

    async def waiter() -> None:
        loop, future = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()

        def second() -> None:
            future.set_result(None)

        def first() -> None:
            loop.call_soon(second)

        loop.call_soon(first)
        await future

    summary, found = recorded(lambda: asyncio.run(waiter()), tmp_path)
    chain = back_from(found, ready_of(summary, "waiter"))[:4]
    assert [end.name.rpartition(".")[2] for end in chain] == [
        s.READY,
        "second",
        "first",
        "waiter",
    ]


def test_timers_and_signals_have_none(tmp_path: Path) -> None:
    """They have no arrow: `ready` names the timer, or says that it came from outside."""

    async def waiter() -> None:
        loop = asyncio.get_running_loop()
        timed, signalled = loop.create_future(), loop.create_future()
        loop.call_later(0.001, timed.set_result, None)
        await timed
        loop.add_signal_handler(signal.SIGUSR1, signalled.set_result, None)
        os.kill(os.getpid(), signal.SIGUSR1)
        await signalled
        loop.remove_signal_handler(signal.SIGUSR1)

    summary, found = recorded(lambda: asyncio.run(waiter()), tmp_path)
    assert wakers(task_of(summary, "waiter"))[-2:] == [{"waker": "timer"}, {"waker": "io"}]
    assert End(SET_RESULT, LOOP) not in {into for _, into in found}


def test_a_cancelled_handle_has_no_arrow(tmp_path: Path) -> None:
    """A callback that never ran has only an arrow's source, and that is counted."""

    async def main() -> None:
        asyncio.get_running_loop().call_soon(functools.partial(print)).cancel()
        await asyncio.sleep(0)

    summary, _ = record_here(lambda: asyncio.run(main()), tmp_path / "t.pftrace")
    assert summary.unknown[NEVER_RAN] == 1


def test_callbacks_of_timers_say_so(tmp_path: Path) -> None:
    """Of what has no arrow the trace tells timers from the outside."""

    async def main() -> None:
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def scheduled() -> None:
            done.set()

        def tick() -> None:
            loop.call_soon(scheduled)

        loop.call_later(0.001, tick)
        await done.wait()

    path = tmp_path / "t.pftrace"
    record_here(lambda: asyncio.run(main()), path)
    with open_trace(path) as tp:
        found = tp.query(
            "select s.name as name, extract_arg(s.arg_set_id, 'debug.waker') as waker"
            f" from slice s join track t on s.track_id = t.id where t.name = '{LOOP}'"
        )
    wakers_of = {row["name"].rpartition(".")[2]: row["waker"] for row in found}
    assert (wakers_of["tick"], wakers_of["scheduled"]) == ("timer", None)
