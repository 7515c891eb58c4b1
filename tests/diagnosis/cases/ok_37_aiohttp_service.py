"""HEALTHY: an aiohttp service with a shared client session, and 10 clients that keep their connections."""
import asyncio

import aiohttp
from aiohttp import web


async def fetch(request):
    await asyncio.sleep(0.01)
    return web.json_response({"id": request.match_info["id"]})


async def client(session, url):
    for n in range(20):
        async with session.get(f"{url}/{n}") as response:
            await response.json()


async def main():
    app = web.Application()
    app.add_routes([web.get("/{id}", fetch)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(client(session, url) for _ in range(10)))
    await runner.cleanup()


asyncio.run(main())
