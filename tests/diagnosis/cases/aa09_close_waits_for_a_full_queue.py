"""`close()` of a websocket takes its whole close_timeout, since the queue of messages is full and
nobody reads the answer (https://github.com/python-websockets/websockets/issues/1555).
truth: `main` waits 1.5 s in `close`; the queue of 16 messages is full; nobody receives any more."""
import asyncio
import time

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve


async def ticker(connection):
    try:
        while True:
            await connection.send("tick")
            await asyncio.sleep(0.001)
    except Exception:
        pass


async def follow(client):
    for _ in range(20):
        await client.recv()


async def main():
    async with serve(ticker, "127.0.0.1", 0, close_timeout=0.2) as server:
        port = server.sockets[0].getsockname()[1]
        client = await connect(f"ws://127.0.0.1:{port}", proxy=None, close_timeout=1.5)
        await follow(client)
        await asyncio.sleep(0.5)
        began = time.monotonic()
        await client.close()
        print("truth: close took", round(time.monotonic() - began, 2))
        server.close()


asyncio.run(main())
