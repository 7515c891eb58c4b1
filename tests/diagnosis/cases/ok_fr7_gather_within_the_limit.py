"""Healthy sibling of fr15: as many at a time as the server takes, so that it refuses nobody; one
of the items is not there (404), which is asked for once."""

import asyncio

import aiohttp
from aiohttp import web

busy = 0
asked = 0


async def item(request):
    global busy, asked
    asked += 1
    if request.match_info["number"] == "7":
        return web.Response(status=404)
    if busy >= 10:
        return web.Response(status=429)
    busy += 1
    await asyncio.sleep(0.1)
    busy -= 1
    return web.json_response({"id": request.match_info["number"]})


async def fetch(session, url, few):
    async with few:
        while True:
            async with session.get(url) as response:
                if response.status != 429:
                    return await response.json() if response.status == 200 else None


async def main():
    app = web.Application()
    app.router.add_get("/items/{number}", item)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    few = asyncio.Semaphore(10)
    async with aiohttp.ClientSession() as session:
        urls = [f"http://127.0.0.1:{port}/items/{number}" for number in range(120)]
        await asyncio.gather(*(fetch(session, url, few) for url in urls))
    await runner.cleanup()
    print(asked)


asyncio.run(main())
