"""CLEAN: requests to a slow and a quick service share one httpx client with connections for all."""
import asyncio

import httpx


async def serve(reader, writer):
    while head := await reader.readline():
        while (await reader.readline()).strip():
            pass
        await asyncio.sleep(0.3 if b"/recommend" in head else 0.01)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
    writer.close()


async def recommendations(client, user):
    return (await client.get(f"/recommend/{user}")).text


async def profile(client, user):
    return (await client.get(f"/profile/{user}")).text


async def page(client, user):
    await asyncio.gather(recommendations(client, user), profile(client, user))


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with httpx.AsyncClient(base_url=base, limits=httpx.Limits(max_connections=40)) as client:
        for _ in range(3):
            await asyncio.gather(*(page(client, user) for user in range(12)))
    server.close()


asyncio.run(main())
