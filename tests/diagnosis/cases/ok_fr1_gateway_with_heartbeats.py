"""A healthy gateway: a heartbeat, a reader that hands messages to tasks, a clean end."""

import asyncio

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve


async def gateway(socket):
    for number in range(60):
        await socket.send(f"event {number}")
        await asyncio.sleep(0.02)
    await socket.close()


async def beat(socket):
    while True:
        await asyncio.sleep(0.2)
        await socket.send("beat")


async def on_event(message):
    await asyncio.sleep(0.03)
    return message.upper()


async def main():
    async with serve(gateway, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}") as socket:
            heart = asyncio.create_task(beat(socket))
            async with asyncio.TaskGroup() as group:
                async for message in socket:
                    group.create_task(on_event(message))
            heart.cancel()


asyncio.run(main())
