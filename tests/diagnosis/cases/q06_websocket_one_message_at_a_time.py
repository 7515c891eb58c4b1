"""A handler of a websocket awaits the work of each message before it takes the next one
(https://github.com/tornadoweb/tornado/issues/2532).
truth: `on_message` takes 40 ms, asleep in `lookup_user`, 25 times in turn; one at a time is enough for none."""
import asyncio

import websockets


async def lookup_user(message):
    await asyncio.sleep(0.04)
    return f"user of {message}"


async def on_message(socket, message):
    await socket.send(await lookup_user(message))


async def handler(socket):
    async for message in socket:
        await on_message(socket, message)


async def main():
    async with websockets.serve(handler, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with websockets.connect(f"ws://127.0.0.1:{port}") as client:
            for n in range(25):
                await client.send(f"m{n}")
            for _ in range(25):
                await client.recv()


asyncio.run(main())
