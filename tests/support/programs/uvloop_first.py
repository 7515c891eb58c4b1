"""What another process writes first on a connection of uvloop's: a server's, then a client's.

The last line of the output is, as JSON, the pid of the process that writes.
"""

import asyncio
import json
import os
import socket
import time
from pathlib import Path

import uvloop


def until_it_waits(pid: int) -> None:
    stat = Path(f"/proc/{pid}/task/{pid}/stat")
    while stat.read_text().rpartition(")")[2].split()[0] != "S":
        time.sleep(0.001)
    time.sleep(0.001)


def writer(to: tuple[str, int], listens: socket.socket, is_accepted: int) -> None:
    reader = os.getppid()
    with socket.create_connection(to) as client:
        os.read(is_accepted, 1)
        until_it_waits(reader)
        client.sendall(b"to the server")
        accepted, _ = listens.accept()
        with accepted:
            accepted.recv(100)
            until_it_waits(reader)
            accepted.sendall(b"to the client")
    os._exit(0)


async def reads(listens: socket.socket, other: tuple[str, int], tell: int) -> None:
    is_read = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        os.write(tell, b"a")
        await reader.read(100)
        is_read.set()

    async with await asyncio.start_server(serve, sock=listens):
        await is_read.wait()
        reader, stream = await asyncio.open_connection(*other)
        stream.write(b"hello")
        await reader.read(100)
        stream.close()


def main() -> None:
    mine, theirs = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
    is_accepted, tell = os.pipe()
    pid = os.fork()
    if not pid:
        writer(mine.getsockname(), theirs, is_accepted)
    uvloop.run(reads(mine, theirs.getsockname(), tell))
    os.waitpid(pid, 0)
    print(json.dumps(pid))


if __name__ == "__main__":
    main()
