"""HEALTHY: a server of `websockets` serves until its time is over; its viewers only listen until they leave."""
import asyncio
from contextlib import suppress

from websockets.asyncio.client import connect
from websockets.asyncio.server import broadcast, serve

viewers = set()


async def view(connection):
    viewers.add(connection)
    try:
        await connection.wait_closed()
    finally:
        viewers.discard(connection)


async def show():
    for number in range(15):
        await asyncio.sleep(0.2)
        broadcast(viewers, str(number))


async def watch(port):
    async with connect(f"ws://127.0.0.1:{port}") as connection:
        for _ in range(14):
            await connection.recv()


async def main():
    async with serve(view, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        others = asyncio.gather(show(), *(watch(port) for _ in range(4)))
        with suppress(TimeoutError):
            async with asyncio.timeout(4):
                await server.serve_forever()
        await others


asyncio.run(main())
