"""Connections stay active for ever, so that the pool of an httpx client has none for others
(https://github.com/encode/httpx/issues/289).
truth: 2 connections, both with `listen` for its event stream; `login` waits 0.7 s 4 times, PoolTimeout."""
import asyncio

import httpx

failed = []


async def serve(reader, writer):
    while head := await reader.readline():
        while (await reader.readline()).strip():
            pass
        if b"/events" in head:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(60):
                writer.write(b"4\r\nping\r\n")
                await asyncio.sleep(0.05)
            writer.write(b"0\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
    writer.close()


async def listen(client, topic):
    async with client.stream("GET", f"/events/{topic}") as response:
        async for _ in response.aiter_bytes():
            pass


async def login(client, user):
    try:
        await client.post(f"/login/{user}")
    except httpx.PoolTimeout:
        failed.append(user)


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with httpx.AsyncClient(
        base_url=base, limits=httpx.Limits(max_connections=2), timeout=httpx.Timeout(5, pool=0.7)
    ) as client:
        streams = [asyncio.create_task(listen(client, topic)) for topic in ("news", "jobs")]
        await asyncio.sleep(0.1)
        for user in range(4):
            await login(client, user)
        for stream in streams:
            stream.cancel()
    print("truth", len(failed), "of 4 failed")
    server.close()


asyncio.run(main())
