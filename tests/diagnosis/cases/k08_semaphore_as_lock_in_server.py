"""All requests of a server pass a semaphore of one that is kept over a slow call
(after reports of rate limiters that serialise everything).
truth: `handle` keeps the only permit 80 ms in `call_upstream`; 8 connections wait for it."""
import asyncio

permit = asyncio.Semaphore(1)


async def call_upstream():
    await asyncio.sleep(0.08)


async def handle(reader, writer):
    await reader.readline()
    async with permit:
        await call_upstream()
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
    await asyncio.gather(*(client(port) for _ in range(10)))
    server.close()


asyncio.run(main())
