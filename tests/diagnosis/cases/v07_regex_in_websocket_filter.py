"""A filter's regular expression backtracks for some messages of a chat.
truth: `serve` computes 80 ms and more in `is_clean`, 5 times; the other clients' messages are late."""
import asyncio
import re

import websockets

PATTERN = re.compile(r"(\w+\s?)+[!?]$")
CLIENTS = set()
EVIL = "aaaa bbbb cccc dddd eee ffff ggg"


def is_clean(text):
    return PATTERN.match(text) is None


async def serve(socket):
    CLIENTS.add(socket)
    try:
        async for text in socket:
            if is_clean(text):
                websockets.broadcast(CLIENTS, text)
    finally:
        CLIENTS.discard(socket)


async def reader(socket):
    async for _ in socket:
        pass


async def client(port, n):
    async with websockets.connect(f"ws://127.0.0.1:{port}") as socket:
        task = asyncio.create_task(reader(socket))
        for k in range(25):
            await socket.send(EVIL + "." if n == 0 and k % 5 == 4 else f"hello {k} from {n}.")
            await asyncio.sleep(0.05)
        task.cancel()


async def ticker():
    while True:
        await asyncio.sleep(0.05)
        websockets.broadcast(CLIENTS, "tick")


async def main():
    async with websockets.serve(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        task = asyncio.create_task(ticker())
        await asyncio.gather(*(client(port, n) for n in range(8)))
        task.cancel()


asyncio.run(main())
