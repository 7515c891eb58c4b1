"""CLEAN: a server whose upstream calls share four permits, for four clients at a time."""
import asyncio

permits = asyncio.Semaphore(4)


async def handle(reader, writer):
    await reader.readline()
    async with permits:
        await asyncio.sleep(0.05)
    writer.write(b"ok\n")
    await writer.drain()
    writer.close()


async def client(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"get\n")
    await reader.readline()
    writer.close()


async def main():
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for _ in range(6):
        await asyncio.gather(*(client(port) for _ in range(4)))
    server.close()


asyncio.run(main())
