"""Long polls take all connections that a session may have to a host; other calls wait for them
(https://github.com/aio-libs/aiohttp/issues/3625 and other time-outs under many requests).
truth: 2 connections are with `poll_updates`, which waits 0.5 s each; `send_message` waits up to 1 s."""
import asyncio

import aiohttp
from aiohttp import web


async def updates(request):
    await asyncio.sleep(0.5)
    return web.json_response([])


async def message(request):
    return web.json_response({"ok": True})


async def poll_updates(session, url):
    for _ in range(3):
        async with session.get(f"{url}/updates") as response:
            await response.json()


async def send_message(session, url):
    async with session.post(f"{url}/message") as response:
        return await response.json()


async def main():
    app = web.Application()
    app.add_routes([web.get("/updates", updates), web.post("/message", message)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    connector = aiohttp.TCPConnector(limit_per_host=2)
    async with aiohttp.ClientSession(connector=connector) as session:
        polls = [asyncio.create_task(poll_updates(session, url)) for _ in range(2)]
        await asyncio.sleep(0.05)
        await asyncio.gather(*(send_message(session, url) for _ in range(5)))
        await asyncio.gather(*polls)
    await runner.cleanup()


asyncio.run(main())
