"""A step or callback in which nothing is recorded is one record; if it lasts, it shows."""

import asyncio
import socket
import time
from pathlib import Path

from tests.support.loops import needs_uvloop, new_uvloop, record_on
from tests.support.recordings import record_here, task_of
from tests.support.validator.strict import read_strict

LONG_S = 60


def wait_until_shown(path: Path, name: str, times: int) -> None:
    """Keeps the thread in what it does until its trace has so many slices of this name."""
    until = time.monotonic() + LONG_S
    while time.monotonic() < until:
        names = [event.name for event in read_strict(path.read_bytes()).events]
        if sum(each.endswith(name) for each in names) >= times:
            return
    raise AssertionError(f"{name} does not come")


def test_a_step_that_lasts(tmp_path: Path) -> None:
    """It is in the file before it ends, and once; so are the steps before and after it."""

    async def lasts(path: Path) -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        wait_until_shown(path, ".lasts", 3)
        await asyncio.sleep(0.001)

    path = tmp_path / "t.pftrace"
    summary, _ = record_here(lambda: asyncio.run(lasts(path)), path)
    assert task_of(summary, "lasts").states == [
        *("ready", "running", "ready", "running"),
        *("await sleep", "ready", "running") * 2,
    ]


@needs_uvloop
def test_a_callback_that_lasts(tmp_path: Path) -> None:
    """It is in the file with the task that it has woken, and both are once."""
    path = tmp_path / "t.pftrace"

    class Line(asyncio.Protocol):
        def __init__(self, arrived: "asyncio.Future[bytes]") -> None:
            self.arrived = arrived

        def data_received(self, data: bytes) -> None:
            self.arrived.set_result(data)
            wait_until_shown(path, ".data_received", 1)

    async def waits() -> None:
        loop = asyncio.get_running_loop()
        here, there = socket.socketpair()
        arrived: asyncio.Future[bytes] = loop.create_future()
        transport, _ = await loop.create_connection(lambda: Line(arrived), sock=here)
        there.send(b"x")
        await arrived
        transport.close()
        there.close()

    summary = record_on(new_uvloop, waits, tmp_path)
    assert [n for name, n in summary.names.items() if name.endswith(".data_received")] == [1]
    via = [str(each.begin.args.get("via", "")) for each in task_of(summary, "waits").slices]
    assert [each.rpartition(".")[2] for each in via].count("data_received") == 1
