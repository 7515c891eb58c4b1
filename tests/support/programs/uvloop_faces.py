"""What a program sees of uvloop: handles, errors in callbacks, contexts, protocols."""

import asyncio
import contextvars
import functools
import os
import signal
import socket
import sys
from typing import Any

import uvloop

value: contextvars.ContextVar[str] = contextvars.ContextVar("value", default="default")


def fails() -> None:
    raise ValueError("in a callback")


class Callable:
    def __call__(self, *args: object) -> None:
        print("called with", args, value.get())

    def __repr__(self) -> str:
        return "<a callable>"


class Shout(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        print("connected", value.get())

    def data_received(self, data: bytes) -> None:
        if data == b"fail":
            raise RuntimeError("in a protocol")
        self.transport.write(data.upper())

    def connection_lost(self, error: Exception | None) -> None:
        print("lost", type(error).__name__)


def told(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """Everything in a context but objects whose repr has an address."""
    print("handler", sorted(context), context["message"], repr(context.get("exception")))
    if "handle" in context:
        print("handle", context["handle"])


async def talk(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    answer = await reader.read(100)
    writer.close()
    await writer.wait_closed()
    return answer


async def main() -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(told)
    loop.slow_callback_duration = 3600  # a busy machine makes any step slow
    value.set("main's")
    context = contextvars.copy_context()
    context.run(value.set, "another's")
    handles = [
        loop.call_soon(fails),
        loop.call_soon(Callable(), 1, 2),
        loop.call_soon(Callable(), context=context),
        loop.call_soon_threadsafe(functools.partial(Callable(), 3)),
        loop.call_later(60, Callable()),
        loop.call_later(60, Callable()),
        loop.call_soon(Callable(), *range(30)),
    ]
    for handle in handles:
        print(handle, handle.cancelled())
    handles[-2].cancel()
    print(handles[-2])
    print(type(handles[0]).__name__, type(handles[4]).__name__)
    handles[4].cancel()
    loop.call_soon(5)  # type: ignore[arg-type]
    wrongs: list[Any] = [
        lambda: loop.call_soon(),  # type: ignore[call-arg]
        lambda: loop.call_later("x", fails),  # type: ignore[arg-type]
    ]
    for wrong in wrongs:
        try:
            wrong()
        except Exception as error:
            print(type(error).__name__, error)
    await asyncio.sleep(0)
    due = loop.create_future()
    print(loop.call_later(0.001, Callable(), 4))
    await asyncio.sleep(0.005)
    print(loop.call_later(0.001, fails))
    await asyncio.sleep(0.005)
    late = loop.call_at(loop.time() + 60, due.set_result, 4)
    print(late)
    late.cancel()
    loop.call_at(loop.time() + 0.001, due.set_result, 5)  # due at once, if the machine is busy
    print(await due)

    here, there = socket.socketpair()
    here.setblocking(False)
    read = loop.create_future()

    def readable(word: str) -> None:
        print(word, here.recv(10))
        print(loop.remove_reader(here))
        read.set_result(None)

    loop.add_reader(here, readable, "readable")
    there.send(b"x")
    await read
    failed = loop.create_future()

    def fails_once() -> None:
        loop.remove_reader(here)
        failed.set_result(None)
        fails()

    loop.add_reader(here, fails_once)
    there.send(b"x")
    await failed
    here.close()
    there.close()

    got = loop.create_future()
    loop.add_signal_handler(signal.SIGUSR1, got.set_result, "signal")
    os.kill(os.getpid(), signal.SIGUSR1)
    print(await got)
    try:
        loop.add_signal_handler(signal.SIGUSR2, main)
    except TypeError as error:
        print(error)

    server = await loop.create_server(Shout, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(await talk(port, b"hello"))
    print(await talk(port, b"fail"))
    server.close()
    await server.wait_closed()

    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "print('child')", stdout=asyncio.subprocess.PIPE
    )
    print(await process.communicate(), process.returncode)
    print(await loop.run_in_executor(None, value.get))
    print((await loop.getaddrinfo("127.0.0.1", 80))[0][4])


def interrupt() -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    uvloop.run(main())
    uvloop.run(main(), debug=True)
    loop = uvloop.new_event_loop()
    loop.call_soon(interrupt)
    try:
        loop.run_forever()
    except KeyboardInterrupt:
        print("interrupted")
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    for late in (lambda: loop.call_soon(fails), loop.run_forever):
        try:
            late()
        except RuntimeError as error:
            print(error)
    sys.exit(7)
