"""Connections that stood in the queue of a listening socket: since when, and at which port."""

import asyncio
import os
import socket
import time
from pathlib import Path

import pytest

from tests.support.recordings import record_here
from tests.support.validator.strict import Event, read_strict
from tracer import schema as s

MS = 1_000_000
# The kernel's ticks last up to 10 ms: what it tells is that much too short or too long.
TICK_NS = 10 * MS


def late(run: object, path: Path, *more: str) -> list[Event]:
    record_here(run, path, signals=(*more, "gil", "io"))  # type: ignore[arg-type]
    return [event for event in read_strict(path.read_bytes()).events
            if event.name == s.ACCEPTED_LATE]  # fmt: skip


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
@pytest.mark.parametrize("says", [b"", b"GET / HTTP/1.1\r\n"])
def test_a_server_that_was_busy(
    tmp_path: Path, family: socket.AddressFamily, host: str, says: bytes
) -> None:
    try:
        server = socket.create_server((host, 0), family=family)
    except OSError as error:
        pytest.skip(f"no {host}: {error}")
    times: list[int] = []

    def serve() -> None:
        begun = time.monotonic_ns()
        with socket.create_connection(server.getsockname()[:2]) as client:
            client.sendall(says)
            times.extend((begun, time.monotonic_ns()))
            time.sleep(0.1)  # the work
            times.append(time.monotonic_ns())
            server.accept()[0].close()
            times.append(time.monotonic_ns())

    with server:
        (found,) = late(serve, tmp_path / "x.pftrace")
        assert found.args[s.ARG_PORT] == server.getsockname()[1]
    begun, sent, asked, accepted = times
    assert asked <= found.time_ns + TICK_NS
    since = found.args[s.ARG_SINCE]
    assert isinstance(since, int)
    waited = found.time_ns - since
    assert asked - sent - TICK_NS <= waited <= accepted - begun + TICK_NS


def test_a_unix_socket_has_no_such_times(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.fspath(tmp_path / "s"))
        server.listen()

        def serve() -> None:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(os.fspath(tmp_path / "s"))
                time.sleep(0.05)
                server.accept()[0].close()

        assert late(serve, tmp_path / "x.pftrace") == []


def test_a_loop_that_was_busy(tmp_path: Path) -> None:
    """Also where it accepts two or three at a time, so that others wait at its next poll."""
    ports: list[int] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def visit(count: int, busy_s: float) -> None:
        clients = [socket.create_connection(("127.0.0.1", ports[0])) for _ in range(count)]
        time.sleep(busy_s)  # the loop's work
        for client in clients:
            with client:
                client.setblocking(False)
                assert await asyncio.get_running_loop().sock_recv(client, 1) == b""

    async def main() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        server = await asyncio.start_server(answer, sock=listener, backlog=2)
        listener.listen(16)  # the kernel keeps more
        ports.append(listener.getsockname()[1])
        await visit(1, 0)
        await visit(6, 0.1)
        server.close()

    found = late(lambda: asyncio.run(main()), tmp_path / "x.pftrace", "tasks")
    # The first one finds an idle loop; on a slow machine, it waits as well.
    assert [event.args[s.ARG_PORT] for event in found][-6:] == ports * 6
    assert len(found) <= 7
