"""Tasks, then a thread, share a pool of one connection to what answers like MongoDB."""

import asyncio
import contextlib
import struct
import threading

import bson
from pymongo import AsyncMongoClient, MongoClient
from pymongo.errors import WaitQueueTimeoutError

HELLO = {"ok": 1, "isWritablePrimary": True, "minWireVersion": 0, "maxWireVersion": 25}
HEADER = struct.Struct("<iiii")  # size, number, number of the question, kind of message
REPLY, MSG = 1, 2013
OPTIONS = "directConnection=true&maxPoolSize=1"


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            size_bytes, number, _, kind = HEADER.unpack(await reader.readexactly(HEADER.size))
            question = await reader.readexactly(size_bytes - HEADER.size)
            if b"keep" in question:
                kept.set()
                await enough.wait()
            answer = bytes(5) if kind == MSG else struct.pack("<iqii", 0, 0, 0, 1)
            answer += bson.encode(HELLO)
            kind = MSG if kind == MSG else REPLY
            writer.write(HEADER.pack(HEADER.size + len(answer), 0, number, kind) + answer)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def ask(client: "AsyncMongoClient[dict[str, object]]") -> None:
    await client.db.command("ping")  #: await connection pool (pymongo) slots=1


async def tasks(url: str) -> None:
    client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(url)
    async with client:
        await client.db.command("ping")  #: await connect (pymongo)
        await client.db.command("ping")  #: await command (pymongo)
        await asyncio.gather(ask(client), ask(client))


def job(url: str) -> None:
    client: MongoClient[dict[str, object]] = MongoClient(url, waitQueueTimeoutMS=10)
    with client:
        keeper = threading.Thread(target=client.db.command, args=("keep",))
        keeper.start()
        kept.wait()
        with contextlib.suppress(WaitQueueTimeoutError):
            client.db.command("ping")  #: lock wait: connection pool (pymongo) slots=1
        loop.call_soon_threadsafe(enough.set)
        keeper.join()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    ports.append(server.sockets[0].getsockname()[1])
    begun.set()
    await over.wait()
    server.close()


ports: list[int] = []
begun, kept = threading.Event(), threading.Event()
enough, over = asyncio.Event(), asyncio.Event()
loop = asyncio.new_event_loop()
server = threading.Thread(target=loop.run_until_complete, args=(main(),))
server.start()
begun.wait()
url = f"mongodb://127.0.0.1:{ports[0]}/?{OPTIONS}"
asyncio.run(tasks(url))
job(url)
loop.call_soon_threadsafe(over.set)
server.join()
