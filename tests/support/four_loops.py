"""The same few tools on asyncio, uvloop, trio and gevent, so that one program runs on all.

On gevent a coroutine never suspends: what it awaits switches greenlets, and returns.
"""

from __future__ import annotations

import asyncio
import importlib.util
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, ClassVar, override

import pytest

from tests.support.loops import new_uvloop, record_on
from tests.support.validator.rules import Summary

type Body = Callable[[], Coroutine[Any, Any, object]]


class Kit(ABC):
    """What a program uses. Every task has the name that it is given."""

    @abstractmethod
    def record(self, main: Callable[[Kit], Coroutine[Any, Any, object]], at: Path) -> Summary:
        """Runs it as the main task of a loop of its own."""

    @abstractmethod
    async def together(self, **bodies: Body) -> None:
        """Runs them as tasks, begun in this order, until all are over; of those that fail,
        the exception is dropped."""

    @abstractmethod
    async def cancelled(self, name: str, body: Body) -> None:
        """Cancels a task once it waits."""

    @abstractmethod
    async def step(self) -> None:
        """Lets all others run."""

    @abstractmethod
    async def in_thread(self, function: Callable[[], None]) -> None: ...

    @abstractmethod
    async def elsewhere(self, body: Body) -> None:
        """Runs it on another loop, in a thread of its own, meanwhile."""

    event: Callable[[], Any]
    lock: Callable[[], Any]
    queue: Callable[[], Any]
    executor: ClassVar[str] = "await executor"  # the name of in_thread()'s wait

    @staticmethod
    async def wait(event: Any) -> None:
        await event.wait()

    @staticmethod
    def held(lock: Any) -> Any:
        """`async with` it."""
        return lock

    @staticmethod
    async def get(queue: Any) -> Any:
        return await queue.get()

    @staticmethod
    async def put(queue: Any, item: Any) -> None:
        await queue.put(item)


class Asyncio(Kit):
    def __init__(self, new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
        self.new_loop = new_loop
        self.event, self.lock = asyncio.Event, asyncio.Lock
        self.queue = lambda: asyncio.Queue(1)

    @override
    def record(self, main: Callable[[Kit], Coroutine[Any, Any, object]], at: Path) -> Summary:
        return record_on(self.new_loop, lambda: main(self), at)

    @override
    async def together(self, **bodies: Body) -> None:
        tasks = [asyncio.create_task(body(), name=name) for name, body in bodies.items()]
        await asyncio.gather(*tasks, return_exceptions=True)

    @override
    async def cancelled(self, name: str, body: Body) -> None:
        task = asyncio.create_task(body(), name=name)
        await self.step()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    @override
    async def step(self) -> None:
        await asyncio.sleep(0)

    @override
    async def in_thread(self, function: Callable[[], None]) -> None:
        await asyncio.to_thread(function)

    @override
    async def elsewhere(self, body: Body) -> None:
        def run() -> None:
            with asyncio.Runner(loop_factory=self.new_loop) as runner:
                runner.run(body())

        await asyncio.to_thread(run)


class Trio(Kit):
    def __init__(self) -> None:
        import trio.testing

        self.trio = trio
        self.event, self.lock = trio.Event, trio.Lock
        self.queue = lambda: trio.open_memory_channel(1)

    @override
    def record(self, main: Callable[[Kit], Coroutine[Any, Any, object]], at: Path) -> Summary:
        from tests.support.trios import record_trio

        return record_trio(lambda: main(self), at)

    @override
    async def together(self, **bodies: Body) -> None:
        try:
            async with self.trio.open_nursery() as nursery:
                for name, body in bodies.items():
                    nursery.start_soon(body, name=name)
                    await self.step()  # trio begins tasks in any order
        except* ValueError:
            pass

    @override
    async def cancelled(self, name: str, body: Body) -> None:
        async with self.trio.open_nursery() as nursery:
            nursery.start_soon(body, name=name)
            await self.trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()

    @override
    async def step(self) -> None:
        await self.trio.lowlevel.checkpoint()

    @override
    async def in_thread(self, function: Callable[[], None]) -> None:
        await self.trio.to_thread.run_sync(function)

    @override
    async def elsewhere(self, body: Body) -> None:
        await self.trio.to_thread.run_sync(lambda: self.trio.run(body))

    @staticmethod
    @override
    async def get(queue: Any) -> Any:
        return await queue[1].receive()

    @staticmethod
    @override
    async def put(queue: Any, item: Any) -> None:
        await queue[0].send(item)


class _Held:
    def __init__(self, lock: Any) -> None:
        self.lock = lock

    async def __aenter__(self) -> None:
        self.lock.acquire()

    async def __aexit__(self, *_: object) -> None:
        self.lock.release()


class Gevent(Kit):
    executor = "await AsyncResult"

    def __init__(self) -> None:
        import gevent.event
        import gevent.lock
        import gevent.queue

        self.gevent = gevent
        self.event, self.lock = gevent.event.Event, gevent.lock.BoundedSemaphore
        self.queue = lambda: gevent.queue.Queue(1)

    @staticmethod
    def drive(body: Body) -> None:
        coroutine = body()
        with pytest.raises(StopIteration):
            coroutine.send(None)

    def spawn(self, name: str, body: Body) -> Any:
        made = self.gevent.spawn(self.drive, body)
        made.name = name
        return made

    @override
    def record(self, main: Callable[[Kit], Coroutine[Any, Any, object]], at: Path) -> Summary:
        from tests.support.greenlets import record_greenlets

        def run() -> None:
            self.spawn("main", lambda: main(self)).get()

        return record_greenlets(run, at)

    @override
    async def together(self, **bodies: Body) -> None:
        self.gevent.joinall([self.spawn(name, body) for name, body in bodies.items()])

    @override
    async def cancelled(self, name: str, body: Body) -> None:
        made = self.spawn(name, body)
        self.gevent.sleep(0)
        made.kill()

    @override
    async def step(self) -> None:
        self.gevent.sleep(0)

    @override
    async def in_thread(self, function: Callable[[], None]) -> None:
        self.gevent.get_hub().threadpool.apply(function)

    @override
    async def elsewhere(self, body: Body) -> None:
        from tests.support.greenlets import in_thread

        def run() -> None:
            in_thread(lambda: self.spawn("elsewhere", body).get(), "other")

        starter = threading.Thread(target=run)
        starter.start()
        while starter.is_alive():  # a join would stop this hub
            self.gevent.sleep(0.001)

    @staticmethod
    @override
    async def wait(event: Any) -> None:
        event.wait()

    @staticmethod
    @override
    def held(lock: Any) -> Any:
        return _Held(lock)

    @staticmethod
    @override
    async def get(queue: Any) -> Any:
        return queue.get()

    @staticmethod
    @override
    async def put(queue: Any, item: Any) -> None:
        queue.put(item)


def _needs(module: str) -> pytest.MarkDecorator:
    reason = f"needs {module}: `uv sync --all-groups` installs it where it has a wheel"
    return pytest.mark.skipif(importlib.util.find_spec(module) is None, reason=reason)


on_all_four = pytest.mark.parametrize(
    "new_kit",
    [
        pytest.param(lambda: Asyncio(asyncio.new_event_loop), id="asyncio"),
        pytest.param(lambda: Asyncio(new_uvloop), id="uvloop", marks=_needs("uvloop")),
        pytest.param(Trio, id="trio", marks=_needs("trio")),
        pytest.param(Gevent, id="gevent", marks=_needs("gevent")),
    ],
)


def own_tid() -> int:
    return threading.get_native_id()
