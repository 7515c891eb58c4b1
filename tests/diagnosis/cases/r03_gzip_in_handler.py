"""A handler of aiohttp compresses a large answer itself, on the loop
(https://github.com/aio-libs/aiohttp/issues about compression that blocks the loop).
truth: `archive` blocks the loop for over 50 ms in gzip.compress, 8 times; `status` waits behind it."""
import asyncio
import gzip
import random

import aiohttp
from aiohttp import web

random.seed(3)
DATA = bytes(random.choices(range(64), k=1_500_000))


async def archive(request):
    return web.Response(body=gzip.compress(DATA, 6))


async def status(request):
    return web.Response(text="ok")


async def ask(session, url, times):
    for _ in range(times):
        async with session.get(url) as response:
            await response.read()
        await asyncio.sleep(0.005)


async def main():
    app = web.Application()
    app.add_routes([web.get("/archive", archive), web.get("/status", status)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession() as session:
        quick = [ask(session, f"{url}/status", 20) for _ in range(5)]
        await asyncio.gather(ask(session, f"{url}/archive", 8), *quick)
    await runner.cleanup()


asyncio.run(main())
