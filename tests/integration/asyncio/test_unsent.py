"""What a transport has not sent, where the program goes on writing."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.recordings import record_here
from tests.support.validator.strict import read_strict
from tracer import schema as s

HERE = f"{__file__}:"
LIMIT = 1_000
PIECE = b"x" * 10_000


def counters(
    main: Callable[[], Coroutine[Any, Any, None]], path: Path
) -> dict[str, list[int]]:
    record_here(lambda: asyncio.run(main()), path)
    trace = read_strict(path.read_bytes())
    found: dict[str, list[int]] = {}
    for event in trace.events:
        name = trace.tracks[event.track].name
        if name.startswith(s.UNSENT_PREFIX) and event.counter is not None:
            found.setdefault(name, []).append(event.counter)
    return found


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[asyncio.StreamWriter, asyncio.StreamReader]]:
    """A writer whose transport is full after few bytes, and who reads at the other end."""
    ours, other = socket.socketpair()
    for one in (ours, other):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    _, writer = await asyncio.open_connection(sock=ours)
    reader, back = await asyncio.open_connection(sock=other, limit=LIMIT)
    writer.transport.set_write_buffer_limits(LIMIT)
    yield writer, reader
    for each in (writer, back):
        each.transport.abort()
        await asyncio.gather(each.wait_closed(), return_exceptions=True)


async def fill(writer: asyncio.StreamWriter) -> None:
    while writer.transport.get_write_buffer_size() <= LIMIT:
        writer.write(PIECE)


async def writes_on(reads: bool) -> None:
    async with connected() as (writer, reader):
        for piece in 20 * PIECE, PIECE, PIECE, PIECE:
            writer.write(piece)
            await asyncio.sleep(0.11)  # the recorder looks ten times a second
        if reads:
            await asyncio.gather(reader.readexactly(23 * len(PIECE)), writer.drain())


async def waits() -> None:
    async with connected() as (writer, reader):
        for _ in range(3):
            await fill(writer)
            await asyncio.sleep(0.11)
            writing = asyncio.ensure_future(writer.drain())
            while not writing.done():
                await reader.read(LIMIT)


async def bursts() -> None:
    """Much at a time, but only once: nothing between two of these writes takes long."""
    async with connected() as (writer, reader):
        for piece in 28 * PIECE, PIECE, PIECE:
            writer.write(piece)
        await asyncio.sleep(0.11)
        await asyncio.gather(reader.readexactly(30 * len(PIECE)), writer.drain())


def test_a_task_that_writes_on(tmp_path: Path) -> None:
    found = counters(lambda: writes_on(True), tmp_path / "t.pftrace")
    first = writes_on.__code__.co_firstlineno
    (name,) = found
    assert name == f"{s.UNSENT_PREFIX}0 {HERE}{first + 3} writes_on"
    last, end = found[name][-2:]
    assert (last, end) == (max(found[name]), 0)
    assert len(PIECE) <= last <= 23 * len(PIECE)


def test_the_connection_ends(tmp_path: Path) -> None:
    found = counters(lambda: writes_on(False), tmp_path / "t.pftrace")
    ((*_, last),) = found.values()
    assert last


@pytest.mark.parametrize("main", [waits, bursts])
def test_who_waits_says_nothing(
    main: Callable[[], Coroutine[Any, Any, None]], tmp_path: Path
) -> None:
    assert not counters(main, tmp_path / "t.pftrace")
