"""Healthy: a websocket handler starts a task for each message, with permits enough."""
import asyncio

import websockets


async def handler(socket):
    permits = asyncio.Semaphore(30)

    async def answer(message):
        async with permits:
            await asyncio.sleep(0.04)
            await socket.send(message)

    async with asyncio.TaskGroup() as group:
        async for message in socket:
            group.create_task(answer(message))


async def main():
    async with websockets.serve(handler, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with websockets.connect(f"ws://127.0.0.1:{port}") as client:
            for n in range(25):
                await client.send(f"m{n}")
                await asyncio.sleep(0.01)
            for _ in range(25):
                await client.recv()


asyncio.run(main())
