"""Healthy: a feed awaits `drain` after each update; one dashboard reads slowly, and only its own feed waits for that.

Truth: nothing is kept in memory, and each client gets all in its own time."""

import asyncio

UPDATE = b"x" * 99_999 + b"\n"


async def feed(reader, writer):
    for _ in range(60):
        writer.write(UPDATE)
        await writer.drain()
        await asyncio.sleep(0.01)
    writer.close()


async def client(port, pause):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**18)
    while await reader.readline():
        await asyncio.sleep(pause)
    writer.close()


async def main():
    server = await asyncio.start_server(feed, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await asyncio.gather(client(port, 0.015), client(port, 0), client(port, 0))
    server.close()


asyncio.run(main())
