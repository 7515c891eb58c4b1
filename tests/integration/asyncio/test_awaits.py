"""A task's wait is named after its innermost await."""

import asyncio
import socket
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path

import pytest

from tests.support.recordings import record_here, record_main, states_of, task_of
from tracer import _core

HERE = Path(__file__).name


async def on_sleep() -> None:
    await asyncio.sleep(0.001)


async def on_lock() -> None:
    lock = asyncio.Lock()
    await lock.acquire()
    asyncio.get_running_loop().call_later(0.001, lock.release)
    async with lock:
        pass


async def on_event() -> None:
    event = asyncio.Event()
    asyncio.get_running_loop().call_later(0.001, event.set)
    await event.wait()


async def on_semaphore() -> None:
    semaphore = asyncio.Semaphore(0)
    asyncio.get_running_loop().call_later(0.001, semaphore.release)
    await semaphore.acquire()


async def on_condition() -> None:
    condition = asyncio.Condition()

    async def notify() -> None:
        async with condition:
            condition.notify()

    async with condition:
        notifier = asyncio.create_task(notify())
        await condition.wait()
    await asyncio.wait([notifier])


async def on_barrier() -> None:
    barrier = asyncio.Barrier(2)
    other = asyncio.create_task(barrier.wait())
    await asyncio.sleep(0)
    del other
    second = asyncio.Barrier(2)
    asyncio.get_running_loop().call_later(0.001, lambda: asyncio.ensure_future(second.wait()))
    await second.wait()


async def on_queue_get() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()
    asyncio.get_running_loop().call_later(0.001, queue.put_nowait, 1)
    await queue.get()


async def on_queue_put() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue(1)
    await queue.put(1)
    asyncio.get_running_loop().call_later(0.001, queue.get_nowait)
    await queue.put(2)


async def on_queue_join() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()
    await queue.put(1)
    asyncio.get_running_loop().call_later(0.001, queue.task_done)
    await queue.join()


async def on_socket() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        asyncio.get_running_loop().call_later(0.001, theirs.send, b"x")
        await asyncio.get_running_loop().sock_recv(ours, 1)


async def on_stream() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        reader, writer = await asyncio.open_connection(sock=ours)
        asyncio.get_running_loop().call_later(0.001, theirs.send, b"x\n")
        await reader.readline()
        writer.close()


async def on_task() -> None:
    await asyncio.create_task(asyncio.sleep(0.001), name="child")


async def on_task_with_timeout() -> None:
    await asyncio.wait_for(asyncio.create_task(asyncio.sleep(0.001), name="child"), 1)


async def on_gather() -> None:
    await asyncio.gather(asyncio.sleep(0.001), asyncio.sleep(0.001))


async def on_wait() -> None:
    await asyncio.wait([asyncio.create_task(asyncio.sleep(0.001))])


async def on_task_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(0.001))


def until_awaited() -> Callable[[], object]:
    """A job for another thread that ends only once the caller waits for it."""
    awaited = threading.Event()
    asyncio.get_running_loop().call_soon(awaited.set)
    return awaited.wait


async def on_executor() -> None:
    await asyncio.get_running_loop().run_in_executor(None, until_awaited())


async def on_thread() -> None:
    await asyncio.to_thread(until_awaited())


async def on_subprocess() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-S", "-c", "open(0).read()"), stdin=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    asyncio.get_running_loop().call_soon(process.stdin.close)  # it ends after the wait began
    await process.wait()


async def on_future() -> None:
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.001, future.set_result, None)
    await future


async def on_timeout() -> None:
    async with asyncio.timeout(1):
        await asyncio.sleep(0.001)


async def ticks() -> AsyncIterator[int]:
    await asyncio.sleep(0.001)
    yield 1


async def on_async_generator() -> None:
    async for _ in ticks():
        pass


class Deep:
    """An awaitable of the user's own, waiting through a generator."""

    def __await__(self):
        yield from asyncio.sleep(0.001).__await__()


async def on_awaitable() -> None:
    await Deep()


CASES: list[tuple[Callable[[], Awaitable[None]], str]] = [
    (on_sleep, "sleep"),
    (on_lock, "Lock"),
    (on_event, "Event"),
    (on_semaphore, "Semaphore"),
    (on_condition, "Condition"),
    (on_barrier, "Barrier"),
    (on_queue_get, "Queue.get"),
    (on_queue_put, "Queue.put"),
    (on_queue_join, "Queue.join"),
    (on_socket, "socket"),
    (on_stream, "socket"),
    (on_task, "task child"),
    (on_task_with_timeout, "task child"),
    (on_gather, "gather"),
    (on_wait, "wait"),
    (on_task_group, "TaskGroup"),
    (on_executor, "executor"),
    (on_thread, "executor"),
    (on_subprocess, "subprocess"),
    (on_future, "future"),
    (on_timeout, "sleep"),
    (on_async_generator, "sleep"),
    (on_awaitable, "sleep"),
]


@pytest.mark.parametrize(
    ("coroutine", "what"), CASES, ids=lambda case: getattr(case, "__name__", None)
)
def test_what_is_awaited(
    coroutine: Callable[[], Awaitable[None]], what: str, tmp_path: Path
) -> None:
    """The name comes from the chain of awaits; the site is the user's own line."""
    summary, _ = record_here(lambda: asyncio.run(coroutine()), tmp_path / "t.pftrace")  # type: ignore[arg-type]
    task = task_of(summary, coroutine.__name__)
    waits = [each.begin for each in task.slices if each.begin.name == f"await {what}"]
    assert waits, task.states
    for wait in waits:
        assert HERE in str(wait.args["site"]), wait.args


def test_site_is_the_line_of_the_await(tmp_path: Path) -> None:
    """The site is the line that awaits, not the one where the function begins."""
    summary, _ = record_here(lambda: asyncio.run(on_future()), tmp_path / "t.pftrace")
    wait = next(
        e.begin for e in task_of(summary, "on_future").slices if e.begin.name == "await future"
    )
    line = on_future.__code__.co_firstlineno + 3
    assert str(wait.args["site"]).endswith(f"{HERE}:{line} on_future")


async def wait_for(what: Awaitable[object]) -> None:
    await what


def awaits_of(
    coroutine: Callable[[], Coroutine[None, None, None]], directory: Path
) -> list[str]:
    task = task_of(record_main(coroutine, directory), coroutine.__name__)
    return [each.name for each in task.slices if each.name.startswith("await ")]


def test_one_place_waits_for_one_thing_after_another(tmp_path: Path) -> None:
    async def on_all() -> None:
        loop = asyncio.get_running_loop()

        def future() -> Awaitable[None]:
            made = loop.create_future()
            loop.call_soon(made.set_result, None)
            return made

        kinds: list[Callable[[], Awaitable[object]]] = [
            future,
            lambda: asyncio.create_task(asyncio.sleep(0), name="child"),
            lambda: asyncio.gather(future(), future()),
            future,
        ]
        for make in kinds:
            await wait_for(make())

    names = ["await future", "await task child", "await gather", "await future"]
    assert awaits_of(on_all, tmp_path) == names


def test_one_place_waits_for_one_lock_after_another(tmp_path: Path) -> None:
    async def on_locks() -> None:
        for lock in [asyncio.Lock() for _ in range(3)]:
            await lock.acquire()
            asyncio.get_running_loop().call_soon(lock.release)
            async with lock:
                pass

    task = task_of(record_main(on_locks, tmp_path), "on_locks")
    locks = [each.begin.args["lock"] for each in states_of(task, "await Lock")]
    assert len(locks) == len(set(locks)) == 3


def test_the_name_of_a_place_may_be_learned_after_its_first_wait(tmp_path: Path) -> None:
    async def named(what: Awaitable[None]) -> None:
        await what

    async def on_named() -> None:
        loop = asyncio.get_running_loop()
        for label in ("", "await Thing"):
            if label:
                _core.label_code(named.__code__, label, 0)
            future = loop.create_future()
            loop.call_soon(future.set_result, None)
            await named(future)

    assert awaits_of(on_named, tmp_path) == ["await future", "await Thing"]
