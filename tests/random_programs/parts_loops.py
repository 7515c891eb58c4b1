"""Parts: loops and threads that wake each other, eager tasks, loops that end."""

import asyncio
import signal
import socket
import threading
from collections.abc import AsyncGenerator
from typing import Any

from tests.random_programs.facts import Await
from tests.random_programs.kit import now, tid
from tests.random_programs.loop_kit import LoopKit
from tests.random_programs.parts_locks import WAITING


def _before_waking(kit: LoopKit) -> threading.Event:
    """Set by the loop once the task that calls this is suspended."""
    suspended = threading.Event()
    asyncio.get_running_loop().call_soon(suspended.set)
    return suspended


async def threadsafe(kit: LoopKit) -> object:
    """A thread sets a future, by call_soon_threadsafe."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    row = kit.expect("future")
    gate = threading.Event()

    def wakes() -> None:
        gate.wait()
        kit.ends(row)
        loop.call_soon_threadsafe(future.set_result, 4)

    thread = kit.thread(wakes)
    with kit.awaiting(row):
        loop.call_soon(gate.set)
        result = await future
    thread.join()
    return result


async def to_thread(kit: LoopKit) -> object:
    """A worker's result; the task's regions follow onto the worker's track."""
    row = kit.expect("executor")
    suspended = _before_waking(kit)

    def job() -> int:
        suspended.wait()
        with kit.region() as path:
            kit.say(*path)
        kit.ends(row)
        return 6

    with kit.awaiting(row):
        return await asyncio.to_thread(job)


async def from_thread(kit: LoopKit) -> object:
    """A thread has a coroutine run here, and waits for it."""
    loop = asyncio.get_running_loop()
    wait = kit.lock_wait("Future.result")
    name = kit.name("coroutine")
    row = kit.expect("future")
    over = loop.create_future()
    seen: list[int] = []

    async def runs() -> int:
        task = asyncio.current_task()
        assert task is not None
        task.set_name(name)
        await asyncio.to_thread(kit.asleep, wait, WAITING)
        wait.row.waker, wait.row.woke_ns = tid(), now()
        return 8

    def thread() -> None:
        future = asyncio.run_coroutine_threadsafe(runs(), loop)
        with wait:
            seen.append(future.result(600))
        kit.ends(row)
        loop.call_soon_threadsafe(over.set_result, None)

    started = kit.thread(thread)
    with kit.awaiting(row):
        await over
    started.join()
    return seen


async def blocking_step(kit: LoopKit) -> object:
    """A step waits for a thread and blocks the loop; others are ready meanwhile."""
    event = threading.Event()
    wait = kit.lock_wait("Event.wait")

    async def other() -> None:
        await asyncio.sleep(0)

    def sets() -> None:
        kit.asleep(wait, WAITING)
        with kit.wakes(wait):
            event.set()

    task, thread = kit.task(other), kit.thread(sets)
    with kit.region(), wait:
        event.wait()
    thread.join()
    await task
    return event.is_set()


async def sockets(kit: LoopKit) -> object:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        row = kit.expect("socket", waker="io")
        suspended = _before_waking(kit)

        def sends() -> None:
            suspended.wait()
            row.woke_ns = now()
            theirs.send(b"y")

        thread = kit.thread(sends)
        with kit.awaiting(row):
            got = await asyncio.get_running_loop().sock_recv(ours, 1)
        thread.join()
    return got


async def eager(kit: LoopKit) -> object:
    """Tasks that run at once and go on later, also nested, created in every way."""

    async def at_once() -> int:
        with kit.region() as path:
            kit.say(*path)
        return 1

    async def nests(depth: int, how: str) -> int:
        if depth == 0:
            row = kit.expect("Event")
            event = asyncio.Event()

            async def sets() -> None:
                await kit.awaited(row)
                await asyncio.sleep(0)
                with kit.readies(row):
                    event.set()

            setter = kit.task(sets)
            with kit.awaiting(row):
                await event.wait()
            await setter
            return 0
        inner = kit.random.choice(("factory", "Task", how))
        return 1 + int(await kit.task(nests, depth - 1, inner, eager=inner))

    how = kit.random.choice(("factory", "Task"))
    first = await kit.task(at_once, eager=how)
    return first, await kit.task(nests, kit.random.randrange(4), how, eager=how)


async def eager_python(kit: LoopKit) -> object:
    """A task in Python that starts eagerly within an eager task in C."""
    loop = asyncio.get_running_loop()

    async def yields() -> int:
        await asyncio.sleep(0)
        return 3

    async def outer() -> int:
        made: Any = asyncio.tasks._PyTask(yields(), loop=loop, eager_start=True)  # type: ignore[attr-defined]
        result: int = await made
        return result

    return await kit.task(outer, eager="factory")


async def generators(kit: LoopKit) -> object:
    """Async generators left midway, closed by another task."""

    async def numbers() -> AsyncGenerator[int]:
        try:
            for number in range(5):
                yield number
                await kit.rest()
        finally:
            await asyncio.sleep(0)

    async def closes(half_way: AsyncGenerator[int]) -> None:
        await half_way.aclose()

    half_way = numbers()
    first = await anext(half_way)
    await kit.task(closes, half_way)
    return first, [number async for number in numbers()]


async def other_loop(kit: LoopKit) -> object:
    """A loop in a thread of its own; each loop waits for the other."""
    here = asyncio.get_running_loop()
    mine, there = kit.expect("future"), kit.expect("future")
    over = here.create_future()
    loops: list[asyncio.AbstractEventLoop] = []
    ready = threading.Event()

    async def main() -> int:
        asyncio.get_running_loop().set_debug(False)
        kit_task = asyncio.current_task()
        assert kit_task is not None
        kit_task.set_name(kit.name("main of the other loop"))
        future = asyncio.get_running_loop().create_future()
        loops.append(asyncio.get_running_loop())
        futures.append(future)
        with kit.awaiting(there):
            asyncio.get_running_loop().call_soon(ready.set)
            got: int = await future
        kit.ends(mine)
        mine.waker_thread, mine.waker_task = 0, kit_task.get_name()
        here.call_soon_threadsafe(over.set_result, got + 1)
        return got

    futures: list[Any] = []
    thread = kit.thread(lambda: asyncio.run(main()))

    async def wakes() -> None:
        await asyncio.to_thread(ready.wait)
        kit.ends(there)
        loops[0].call_soon_threadsafe(futures[0].set_result, 10)

    task = kit.task(wakes)
    with kit.awaiting(mine):
        result: int = await over
    await task
    thread.join()
    return result


async def left_behind(kit: LoopKit) -> object:
    """A loop that is closed while tasks of it are pending."""

    async def never() -> None:
        await asyncio.Event().wait()

    def runs() -> None:
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda *_: None)
        tasks.append(loop.create_task(never()))
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    tasks: list[asyncio.Task[None]] = []
    thread = kit.thread(runs)
    thread.join()
    return tasks[0].done()


async def shielded(kit: LoopKit) -> object:
    """The outer task is cancelled, the inner one goes on."""
    inner_may_end = asyncio.Event()
    rows: list[Await] = [kit.expect("Event")]

    async def inner() -> int:
        with kit.awaiting(rows[0]):
            await inner_may_end.wait()
        return 2

    async def outer(task: asyncio.Task[int]) -> None:
        await asyncio.shield(task)

    task = kit.task(inner)
    shielding = kit.task(outer, task, end="cancelled")
    await kit.awaited(*rows)
    await asyncio.sleep(0)
    shielding.cancel()
    await asyncio.wait([shielding])
    with kit.readies(*rows):
        inner_may_end.set()
    return await task


async def loop_signal(kit: LoopKit) -> object:
    """A signal handler of the loop ends an await."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.add_signal_handler(signal.SIGUSR1, future.set_result, "signal")
    row = kit.expect("future", waker="io")
    suspended = _before_waking(kit)

    def sends() -> None:
        suspended.wait()
        row.woke_ns = now()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    thread = kit.thread(sends)
    with kit.awaiting(row):
        result = await future
    loop.remove_signal_handler(signal.SIGUSR1)
    thread.join()
    return result
