"""Requests to several services share one httpx client, whose connections a slow service takes
(https://www.fixwikihub.com/articles/httpx-async-connection-pool-exhaustion-fix).
truth: 5 connections, each 0.5 s in `recommendations`; `profile` waits up to 0.4 s, then PoolTimeout."""
import asyncio

import httpx

failed = []


async def serve(reader, writer):
    while head := await reader.readline():
        while (await reader.readline()).strip():
            pass
        await asyncio.sleep(0.5 if b"/recommend" in head else 0.01)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
    writer.close()


async def recommendations(client, user):
    return (await client.get(f"/recommend/{user}", timeout=httpx.Timeout(5, pool=None))).text


async def profile(client, user):
    try:
        return (await client.get(f"/profile/{user}")).text
    except httpx.PoolTimeout:
        failed.append(user)


async def page(client, user):
    await asyncio.gather(recommendations(client, user), profile(client, user))


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    limits = httpx.Limits(max_connections=5)
    async with httpx.AsyncClient(base_url=base, limits=limits, timeout=httpx.Timeout(5, pool=0.4)) as client:
        await asyncio.gather(*(page(client, user) for user in range(24)))
    print("truth", len(failed), "of 24 profiles failed")
    server.close()


asyncio.run(main())
