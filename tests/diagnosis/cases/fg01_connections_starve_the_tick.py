"""With many connections to an aiohttp server, its other tasks are starved
(https://github.com/aio-libs/aiohttp/issues/7344).
truth: 150 requests arrive at once, each computes some 10 ms in `handle`; `tick`, due each 50 ms, is late by over 1 s."""
import asyncio
import time

import aiohttp
from aiohttp import web

late = []


async def handle(request):
    return web.Response(text=str(sum(n * n for n in range(100_000))))


async def tick():
    while True:
        began = time.monotonic()
        await asyncio.sleep(0.05)
        late.append(time.monotonic() - began - 0.05)


async def main():
    app = web.Application()
    app.router.add_get("/", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    ticker = asyncio.create_task(tick())
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask():
            async with session.get(base) as response:
                await response.text()

        await asyncio.gather(*(ask() for _ in range(150)))
    ticker.cancel()
    print("truth", round(max(late), 2))
    await runner.cleanup()


asyncio.run(main())
