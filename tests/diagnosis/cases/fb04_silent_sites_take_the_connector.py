"""Sites that do not answer take all connections of a session, and the others wait
(https://github.com/aio-libs/aiohttp/issues/3203).
truth: 4 connections; `check_site` of 4 silent sites has them for 1.5 s; 20 others wait for one up to 1.5 s."""
import asyncio
import time

import aiohttp
from aiohttp import web

waited = []


async def answer(request):
    if request.query["site"].startswith("silent"):
        await asyncio.sleep(3)
    await asyncio.sleep(0.02)
    return web.Response(text="ok")


async def check_site(session, base, site):
    began = time.monotonic()
    try:
        timeout = aiohttp.ClientTimeout(total=None, sock_read=1.5)
        async with session.get(base, params={"site": site}, timeout=timeout) as response:
            await response.text()
    except TimeoutError:
        pass
    waited.append(time.monotonic() - began)


async def main():
    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    sites = [f"silent{n}.example" for n in range(4)] + [f"site{n}.example" for n in range(20)]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=4)) as session:
        await asyncio.gather(*(check_site(session, base, site) for site in sites))
    print("truth", round(max(waited), 2))
    await runner.cleanup()


asyncio.run(main())
