"""Tasks, then a thread, share a pool of one connection to what answers like MongoDB.

It tells a client that watches it of its state again and again.
"""

#: anywhere await message (pymongo)

import asyncio
import contextlib
import struct
import threading

import bson
from pymongo import AsyncMongoClient, MongoClient
from pymongo.errors import WaitQueueTimeoutError

STATE = {"processId": bson.ObjectId(), "counter": bson.Int64(1)}
VERSIONS = {"minWireVersion": 0, "maxWireVersion": 25, "topologyVersion": STATE}
HELLO = {"ok": 1, "isWritablePrimary": True, **VERSIONS}
HEADER = struct.Struct("<iiii")  # size, number, number of the question, kind of message
REPLY, MSG = 1, 2013
MORE_TO_COME = 2
OPTIONS = "directConnection=true&maxPoolSize=1"


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            size_bytes, number, _, kind = HEADER.unpack(await reader.readexactly(HEADER.size))
            question = await reader.readexactly(size_bytes - HEADER.size)
            if b"keep" in question:
                kept.set()
                await enough.wait()
            if b"maxAwaitTimeMS" in question:
                while not writer.is_closing():
                    send(writer, number, MSG, struct.pack("<ib", MORE_TO_COME, 0))
                    await asyncio.sleep(0.01)
            elif kind == MSG:
                send(writer, number, MSG, bytes(5))
            else:
                send(writer, number, REPLY, struct.pack("<iqii", 0, 0, 0, 1))
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def send(writer: asyncio.StreamWriter, number: int, kind: int, start: bytes) -> None:
    answer = start + bson.encode(HELLO)
    writer.write(HEADER.pack(HEADER.size + len(answer), 0, number, kind) + answer)


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
