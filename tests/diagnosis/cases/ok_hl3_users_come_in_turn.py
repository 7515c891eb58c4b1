"""HEALTHY: eighty users connect one after the other, talk until all are told to stop, and leave."""
import asyncio


async def handle(reader, writer):
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()
    writer.close()


async def user(port, stop):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while not stop.is_set():
        writer.write(b"hello\n")
        await reader.readline()
        await asyncio.sleep(0.1)
    writer.close()
    await writer.wait_closed()


async def main():
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port, stop = server.sockets[0].getsockname()[1], asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(80):
            group.create_task(user(port, stop))
            await asyncio.sleep(0.03)
        stop.set()
    server.close()


asyncio.run(main())
