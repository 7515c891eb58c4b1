"""A server sends to a websocket whose reader works on each message; `send` waits for room
(https://github.com/python-websockets/websockets/issues/1012 has the same seen as ping time-outs).
truth: `feed` waits 2 s in `send`; `follow` takes 40 ms for each message, in `store`."""
import asyncio

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

COUNT = 60


async def feed(connection):
    try:
        for _ in range(COUNT):
            await connection.send("x" * 200_000)
    except ConnectionClosed:
        pass


async def store(message):
    await asyncio.sleep(0.04)


async def follow(port):
    async with connect(f"ws://127.0.0.1:{port}", proxy=None, max_queue=4, compression=None) as client:
        for _ in range(COUNT):
            await store(await client.recv())


async def main():
    async with serve(feed, "127.0.0.1", 0, compression=None) as server:
        await follow(server.sockets[0].getsockname()[1])


asyncio.run(main())
