"""HEALTHY: a server of `websockets` serves until it is cancelled; its viewers only listen until they leave."""
import asyncio

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


async def run(server):
    await server.serve_forever()


async def main():
    server = await serve(view, "127.0.0.1", 0)
    serving = asyncio.create_task(run(server))
    port = server.sockets[0].getsockname()[1]
    await asyncio.gather(show(), *(watch(port) for _ in range(4)))
    serving.cancel()
    await asyncio.wait({serving})


asyncio.run(main())
