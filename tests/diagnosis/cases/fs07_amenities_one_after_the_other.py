"""After pedrosantosbr.com (scoped concurrency): 14 independent calls, one after the other.

Truth: `discover` awaits `find_nearby` for each category in turn, 100 ms each, though none needs
the one before.
"""

import asyncio

import httpx

CATEGORIES = "hospital bank school pharmacy gym park bus grocery cafe".split()


async def serve(reader, writer):
    while await reader.readline():
        while (await reader.readline()).strip():
            pass
        await asyncio.sleep(0.1)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")
        await writer.drain()
    writer.close()


async def find_nearby(client, url, category):
    response = await client.get(url, params={"type": category})
    return response.json()


async def discover(client, url):
    places = []
    for category in CATEGORIES:
        places += await find_nearby(client, url, category)
    return places


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with httpx.AsyncClient() as client:
        for _ in range(2):
            await discover(client, url)
    server.close()


asyncio.run(main())
