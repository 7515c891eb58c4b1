"""CLEAN: one httpx client for all calls, at most 10 at a time, as many as it has connections."""
import asyncio

import httpx


async def answer(reader, writer):
    while await reader.readline():
        while (await reader.readline()).strip():
            pass
        await asyncio.sleep(0.005)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n42")
        await writer.drain()
    writer.close()


async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    permits = asyncio.Semaphore(10)
    limits = httpx.Limits(max_connections=10)
    async with httpx.AsyncClient(limits=limits, trust_env=False, verify=False) as client:

        async def fetch():
            async with permits:
                return await client.get(url)

        await asyncio.gather(*(fetch() for _ in range(60)))
    server.close()


asyncio.run(main())
