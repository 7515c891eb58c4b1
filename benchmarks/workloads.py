"""The programs whose cost is measured: each does `amount` units of one kind of work."""

from __future__ import annotations

import asyncio
import collections
import importlib.util
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass


async def switch(amount: int) -> None:
    for _ in range(amount):
        await asyncio.sleep(0)


async def bare_switches(amount: int) -> None:
    """Four tasks that do nothing but make room for each other."""
    await asyncio.gather(*(switch(amount // 4) for _ in range(4)))


async def queue_ping_pong(amount: int) -> None:
    """Two tasks that throw one item to and fro."""
    there: asyncio.Queue[int] = asyncio.Queue(1)
    back: asyncio.Queue[int] = asyncio.Queue(1)

    async def answer() -> None:
        for _ in range(amount):
            await back.put(await there.get())

    answering = asyncio.create_task(answer())
    for number in range(amount):
        await there.put(number)
        await back.get()
    await answering


async def tcp_echo(amount: int) -> None:
    """Streams server and eight clients in one process; one unit is one request and answer."""
    clients, message = 8, b"x" * 127 + b"\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def ask(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(amount // clients):
            writer.write(message)
            await writer.drain()
            await reader.readline()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await asyncio.gather(*(ask(port) for _ in range(clients)))


def walk(depth: int) -> Iterator[int]:
    yield depth
    if depth:
        yield from walk(depth - 1)


def generators(amount: int) -> None:
    """Nested generators, eight deep."""
    for _ in range(amount // 9):
        sum(walk(8))


@dataclass
class Account:
    balance: int = 0

    def deposit(self, money: int) -> None:
        self.check(money)
        self.balance += money

    def check(self, money: int) -> None:
        if money < 0:
            raise ValueError(money)

    @property
    def rich(self) -> bool:
        return self.balance > 1_000_000


def objects(amount: int) -> None:
    """Small methods, a property, an exception now and then."""
    account = Account()
    for number in range(amount):
        try:
            account.deposit(number % 64 - 1)
        except ValueError:
            account.balance = 0
        assert not account.rich


def with_lock(amount: int) -> None:
    lock = threading.Lock()
    for _ in range(amount):
        with lock:
            pass


def with_rlock(amount: int) -> None:
    lock = threading.RLock()
    for _ in range(amount):
        with lock:
            pass


async def async_with_lock(amount: int) -> None:
    lock = asyncio.Lock()
    for _ in range(amount):
        async with lock:
            pass


def queue_and_take(amount: int) -> None:
    """A plain deque: asyncio's loops queue what is ready in one, so its append is watched."""
    queue: collections.deque[int] = collections.deque()
    for number in range(amount):
        queue.append(number)
        queue.popleft()


def seeks(amount: int) -> None:
    """Gives the GIL and takes it again around a system call that does nothing."""
    file, seek, here = os.open("/dev/zero", os.O_RDONLY), os.lseek, os.SEEK_CUR
    for _ in range(amount):
        seek(file, 0, here)
    os.close(file)


def reads(amount: int) -> None:
    """The same, in a call that may block."""
    file, read = os.open("/dev/zero", os.O_RDONLY), os.read
    for _ in range(amount):
        read(file, 1)
    os.close(file)


@dataclass(frozen=True)
class Workload:
    """A row of a table; `amount` units take roughly a third of a second untraced.

    `budget` is what DESIGN.md allows: as a ratio, of a pair in ns; None where it sets none.
    """

    name: str
    run: Callable[[int], None]
    amount: int
    budget: float | None = None


def in_loop(work: Callable[[int], object]) -> Callable[[int], None]:
    """An asynchronous workload as a plain function with an event loop of its own."""

    def run(amount: int) -> None:
        asyncio.run(work(amount))  # type: ignore[arg-type]

    return run


def in_uvloop(work: Callable[[int], object]) -> Callable[[int], None]:
    """The same with a loop of uvloop's."""

    def run(amount: int) -> None:
        import uvloop

        uvloop.run(work(amount))  # type: ignore[arg-type]

    return run


def greenlet_switches(amount: int) -> None:
    """One greenlet and its parent that do nothing but switch to each other."""
    import greenlet

    def answer() -> None:
        while True:
            parent.switch()

    parent = greenlet.getcurrent()
    other = greenlet.greenlet(answer)
    for _ in range(amount // 2):
        other.switch()


def trio_switches(amount: int) -> None:
    """Four of trio's tasks that do nothing but make room for each other."""
    import trio

    async def switch() -> None:
        for _ in range(amount // 4):
            await trio.sleep(0)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(switch)

    trio.run(main)


WORKLOADS = (
    Workload("bare switches (sleep(0))", in_loop(bare_switches), 200_000, 1.10),
    Workload("queue ping-pong", in_loop(queue_ping_pong), 40_000),
    Workload("TCP echo (streams)", in_loop(tcp_echo), 6_000, 1.02),
    *(
        (
            Workload("bare switches, uvloop", in_uvloop(bare_switches), 400_000),
            Workload("TCP echo, uvloop", in_uvloop(tcp_echo), 16_000, 1.05),
        )
        if importlib.util.find_spec("uvloop")
        else ()
    ),
    *(
        (Workload("bare switches, trio", trio_switches, 50_000, 1.40),)
        if importlib.util.find_spec("trio")
        else ()
    ),
    Workload("generators", generators, 2_000_000, 1.01),
    Workload("objects", objects, 1_000_000, 1.01),
)
PAIRS = (  # of a take and a release that nobody else wants, or one switch
    Workload("with Lock", with_lock, 3_000_000, 11),
    Workload("with RLock", with_rlock, 3_000_000, 11),
    Workload("async with asyncio.Lock", in_loop(async_with_lock), 600_000),
    Workload("deque.append, popleft", queue_and_take, 3_000_000),
    Workload("GIL: os.lseek", seeks, 1_000_000, 70),
    Workload("GIL and io: os.read", reads, 600_000, 70),
    *(
        (Workload("greenlet switch", greenlet_switches, 1_000_000, 150),)
        if importlib.util.find_spec("greenlet")
        else ()
    ),
)
