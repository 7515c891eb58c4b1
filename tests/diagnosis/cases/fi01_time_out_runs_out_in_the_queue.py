"""aiohttp's total time-out also counts the wait for a free connection (https://github.com/aio-libs/aiohttp/issues/10313).

Truth: 60 requests at once, 8 connections, each answer takes 0.15 s, time-out 0.5 s: the first 24
get through, the others time out in the queue for a connection and never reach the server.
"""

import asyncio
import time

import aiohttp
from aiohttp import web


async def answer(request):
    await asyncio.sleep(0.15)
    return web.Response(text="ok")


async def fetch(session, url, done):
    try:
        async with session.get(url) as response:
            await response.text()
            done.append(True)
    except TimeoutError:
        done.append(False)


async def main():
    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    done = []
    begun = time.perf_counter()
    connector = aiohttp.TCPConnector(limit=8)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=0.5)) as session:
        await asyncio.gather(*(fetch(session, url, done) for _ in range(60)))
    print(f"truth: {sum(done)} of 60 got through in {time.perf_counter() - begun:.2f} s")
    await runner.cleanup()


asyncio.run(main())
