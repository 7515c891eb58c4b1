"""After github.com/aio-libs/aiohttp/issues/1367: a feed writes to a client that does not read.

Truth: `feed` writes to each client and never awaits `drain`; the dashboard reads slowly, so
what it does not read piles up in the server's memory.
"""

import asyncio

UPDATE = b"x" * 99_999 + b"\n"


async def feed(reader, writer):
    for _ in range(200):
        writer.write(UPDATE)
        await asyncio.sleep(0.01)
    writer.close()


async def dashboard(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    for _ in range(26):
        await reader.readline()
        await asyncio.sleep(0.1)
    writer.close()


async def client(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    while await reader.readline():
        pass
    writer.close()


async def main():
    server = await asyncio.start_server(feed, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await asyncio.gather(dashboard(port), client(port), client(port))
    server.close()


asyncio.run(main())
