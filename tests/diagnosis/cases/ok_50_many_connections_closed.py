"""CLEAN: 120 connections, one after the other and some at a time, all closed; a few retries."""
import asyncio


async def answer(reader, writer):
    writer.write(await reader.readline())
    await writer.drain()
    writer.close()


async def check(port, bad):
    for attempt in range(4):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", bad if attempt < 2 else port)
        except OSError:
            await asyncio.sleep(0.02 * 2**attempt)
            continue
        writer.write(b"ping\n")
        await reader.readline()
        writer.close()
        await writer.wait_closed()
        return


async def main():
    closed = await asyncio.start_server(answer, "127.0.0.1", 0)
    bad = closed.sockets[0].getsockname()[1]
    closed.close()
    await closed.wait_closed()
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for _ in range(6):
        await asyncio.gather(*(check(port, bad) for _ in range(20)))
    server.close()


asyncio.run(main())
