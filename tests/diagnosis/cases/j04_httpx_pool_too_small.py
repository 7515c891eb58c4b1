"""An HTTP client allows two connections, and slow downloads have both
(https://github.com/encode/httpx/issues/838).
truth: 2 connections; `download` keeps each 0.3 s; 4 calls of `lookup` wait 0.3 s and more."""
import asyncio

import httpx


async def answer(reader, writer):
    while line := await reader.readline():
        while (await reader.readline()).strip():
            pass
        if b"/file" in line:
            await asyncio.sleep(0.3)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n42")
        await writer.drain()


async def download(client, base):
    return await client.get(f"{base}/file")


async def lookup(client, base):
    return await client.get(f"{base}/name")


async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    limits = httpx.Limits(max_connections=2)
    async with httpx.AsyncClient(limits=limits, trust_env=False, verify=False) as client:
        slow = [asyncio.create_task(download(client, base)) for _ in range(4)]
        await asyncio.sleep(0.05)
        await asyncio.gather(*slow, *(lookup(client, base) for _ in range(4)))


asyncio.run(main())
