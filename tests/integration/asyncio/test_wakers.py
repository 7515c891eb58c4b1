"""Who woke a task: another task, a thread, a timer, a file descriptor, or nobody."""

import asyncio
import collections
import threading
from pathlib import Path

import pytest

from tests.support.recordings import record_main, task_of, wakers


def test_woken_by_a_task(tmp_path: Path) -> None:
    """Another task's set() of the event made the waiter ready."""

    async def waiter(event: asyncio.Event) -> None:
        await event.wait()

    async def main() -> None:
        event = asyncio.Event()
        task = asyncio.create_task(waiter(event))
        await asyncio.sleep(0)
        event.set()
        await task

    summary = record_main(main, tmp_path)
    by = task_of(summary, "main").id
    assert wakers(task_of(summary, "waiter")) == [{"waker_task": by}, {"waker_task": by}]


def test_woken_by_a_thread(tmp_path: Path) -> None:
    """call_soon_threadsafe from another thread: the callback leads to its kernel id."""
    tids: list[int] = []

    async def waiter() -> None:
        future = asyncio.get_running_loop().create_future()
        loop = asyncio.get_running_loop()

        def work() -> None:
            tids.append(threading.get_native_id())
            loop.call_soon_threadsafe(future.set_result, None)

        thread = threading.Thread(target=work)
        thread.start()
        await future
        thread.join()

    summary = record_main(waiter, tmp_path)
    assert wakers(task_of(summary, "waiter"))[-1] == {"waker_thread": tids[0]}


def test_woken_by_a_thread_that_is_slower_than_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop runs the callback before call_soon_threadsafe has returned."""
    tids: list[int] = []

    async def waiter() -> None:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        woken = threading.Event()
        wake_loop = loop._write_to_self  # type: ignore[attr-defined]

        def wake_loop_and_stay() -> None:
            wake_loop()
            woken.wait()

        def work() -> None:
            tids.append(threading.get_native_id())
            loop.call_soon_threadsafe(future.set_result, None)

        monkeypatch.setattr(loop, "_write_to_self", wake_loop_and_stay)
        thread = threading.Thread(target=work)
        thread.start()
        await future
        woken.set()
        thread.join()

    summary = record_main(waiter, tmp_path)
    assert wakers(task_of(summary, "waiter"))[-1] == {"waker_thread": tids[0]}


class Queue(collections.deque[asyncio.Handle]):
    """A thread that has put a handle here does not go on before the loop has run it."""

    ran: threading.Event

    def append(self, handle: asyncio.Handle) -> None:
        super().append(handle)
        if threading.current_thread() is not threading.main_thread():
            self.ran.wait()


def test_the_loop_runs_a_handle_at_once(tmp_path: Path) -> None:
    """It may see it as soon as it is in the queue, while the waker is still in _call_soon."""
    tids: list[int] = []
    done: list[bool] = []

    async def waiter(future: asyncio.Future[None]) -> None:
        await future
        done.append(True)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        queue = Queue(loop._ready)  # type: ignore[attr-defined]
        queue.ran = threading.Event()
        loop._ready = queue  # type: ignore[attr-defined]
        task = asyncio.create_task(waiter(future))

        def wake() -> None:
            future.set_result(None)
            queue.ran.set()

        def work() -> None:
            tids.append(threading.get_native_id())
            loop.call_soon_threadsafe(wake)

        thread = threading.Thread(target=work)
        thread.start()
        while not done:  # it polls and never waits
            await asyncio.sleep(0)
        await task
        thread.join()

    summary = record_main(main, tmp_path)
    assert wakers(task_of(summary, "waiter"))[-1] == {"waker_thread": tids[0]}


def test_woken_by_an_executor(tmp_path: Path) -> None:
    """The waker is the worker thread that finished the job."""
    tids: list[int] = []

    async def waiter() -> None:
        awaited = threading.Event()  # or else the job may be over before anyone waits for it

        def job() -> None:
            awaited.wait()
            tids.append(threading.get_native_id())

        asyncio.get_running_loop().call_soon(awaited.set)
        await asyncio.to_thread(job)

    summary = record_main(waiter, tmp_path)
    assert wakers(task_of(summary, "waiter"))[-1] == {"waker_thread": tids[0]}


def test_woken_by_a_timer_and_by_io(tmp_path: Path) -> None:
    """The waker is neither task nor thread: it is the timer, or the file descriptor."""

    async def sleeper() -> None:
        await asyncio.sleep(0.001)

    async def listener() -> None:
        server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1")
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            await reader.read()
            writer.close()

    async def main() -> None:
        await sleeper()
        await listener()

    waking = wakers(task_of(record_main(main, tmp_path), "main"))
    assert {"waker": "timer"} in waking
    assert {"waker": "io"} in waking


def test_yield_has_no_waker(tmp_path: Path) -> None:
    """sleep(0) goes from running to ready: nobody woke it, it never waited."""

    async def main() -> None:
        for _ in range(3):
            await asyncio.sleep(0)

    task = task_of(record_main(main, tmp_path), "main")
    assert task.states == ["ready", "running"] * 4
    assert len(wakers(task)) == 1  # whoever created it
