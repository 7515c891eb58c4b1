"""What asyncio's and uvloop's own code makes a task wait for has a name: no `await future`."""

import asyncio
import os
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.support.loops import NewLoop, on_every_loop, record_on
from tests.support.recordings import task_of

type Case = Callable[[], Coroutine[Any, Any, object]]


async def connects() -> None:
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    with theirs:
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
        transport.close()


async def opens_datagrams() -> None:
    loop = asyncio.get_running_loop()
    ours = socket.socket(type=socket.SOCK_DGRAM)
    ours.bind(("127.0.0.1", 0))
    transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, sock=ours)
    transport.close()


async def opens_a_pipe() -> None:
    loop = asyncio.get_running_loop()
    ours, theirs = os.pipe()
    os.close(theirs)
    transport, _ = await loop.connect_read_pipe(asyncio.Protocol, os.fdopen(ours, "rb"))
    transport.close()


async def starts_a_process() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-S", "-c", "open(0).read()"), stdin=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    asyncio.get_running_loop().call_soon(process.stdin.close)  # it ends after the wait began
    await process.wait()


async def ends_its_executor() -> None:
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, int)
    await loop.shutdown_default_executor()


async def shields_an_executor() -> None:
    loop = asyncio.get_running_loop()
    awaited = threading.Event()
    loop.call_soon(awaited.set)
    await asyncio.shield(asyncio.shield(loop.run_in_executor(None, awaited.wait)))


async def shields_a_task() -> None:
    await asyncio.shield(asyncio.create_task(asyncio.sleep(0), name="child"))


async def shields_a_gather() -> None:
    await asyncio.shield(asyncio.gather(asyncio.sleep(0), asyncio.sleep(0)))


CASES: tuple[tuple[Case, set[str]], ...] = (
    (connects, {"socket"}),
    (opens_datagrams, {"socket"}),
    (opens_a_pipe, {"socket"}),
    (starts_a_process, {"subprocess"}),
    (ends_its_executor, {"executor"}),
    (shields_an_executor, {"executor"}),
    (shields_a_task, {"task child"}),
    (shields_a_gather, {"gather"}),
)


def waits(main: Case, new_loop: NewLoop, directory: Path) -> set[str]:
    task = task_of(record_on(new_loop, main, directory), main.__name__)
    return {state[len("await ") :] for state in task.states if state.startswith("await ")}


@on_every_loop
@pytest.mark.parametrize(
    ("main", "expected"), CASES, ids=lambda case: getattr(case, "__name__", "")
)
def test_it_has_a_name(
    main: Case, expected: set[str], new_loop: NewLoop, tmp_path: Path
) -> None:
    assert waits(main, new_loop, tmp_path) == expected


def test_a_file_is_sent(tmp_path: Path) -> None:
    """uvloop has no such method."""

    async def sends() -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs, tempfile.TemporaryFile() as file:
            ours.setblocking(False)
            theirs.setblocking(False)
            loop = asyncio.get_running_loop()
            file.write(bytes(4 << 20))  # more than the sockets hold
            file.seek(0)

            async def receives() -> None:
                while await loop.sock_recv(theirs, 1 << 20):
                    pass

            receiver = asyncio.create_task(receives())
            await loop.sock_sendfile(ours, file)
            ours.shutdown(socket.SHUT_WR)
            await receiver

    found = waits(sends, asyncio.new_event_loop, tmp_path)
    assert found >= {"socket"}
    assert "future" not in found


@on_every_loop
def test_a_coroutine_of_another_loop(new_loop: NewLoop, tmp_path: Path) -> None:
    """What run_coroutine_threadsafe() begins is a task, and no executor's job."""

    async def asks() -> None:
        there = new_loop()
        runner = threading.Thread(target=there.run_forever)
        runner.start()
        begun, awaited = threading.Event(), asyncio.Event()

        async def works() -> None:
            task = asyncio.current_task()
            assert task is not None
            task.set_name("far")
            begun.set()
            while not awaited.is_set():
                await asyncio.sleep(0.001)

        future = asyncio.run_coroutine_threadsafe(works(), there)
        begun.wait()
        asyncio.get_running_loop().call_soon(awaited.set)
        await asyncio.wrap_future(future)
        there.call_soon_threadsafe(there.stop)
        runner.join()
        there.close()

    assert waits(asks, new_loop, tmp_path) == {"task far"}
