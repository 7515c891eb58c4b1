"""Responses that nobody reads keep the two connections of one session, while others talk by sessions of their own.
truth: two `probe` leave their responses open and have the two connections; 5 `fetch` wait for one in vain, 1.2 s each;
no `metrics` has one of these."""
import asyncio

import aiohttp
from aiohttp import web

left = []


async def serve(request):
    return web.Response(body=b"x" * 2_000_000)


async def greet(request):
    await asyncio.sleep(0.02)
    return web.Response(text="hello")


async def probe(session, url):
    left.append(await session.get(url + "/large"))
    return left[-1].status


async def fetch(session, url):
    async with session.get(url + "/greet") as answer:
        return await answer.text()


async def metrics(url):
    async with aiohttp.ClientSession() as own:
        for _ in range(60):
            async with own.get(url + "/greet") as answer:
                await answer.text()
            await asyncio.sleep(0.01)


async def main():
    app = web.Application()
    app.router.add_get("/large", serve)
    app.router.add_get("/greet", greet)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = "http://%s:%d" % runner.addresses[0][:2]
    connector = aiohttp.TCPConnector(limit=2)
    bystanders = [asyncio.create_task(metrics(url)) for _ in range(3)]
    async with aiohttp.ClientSession(connector=connector) as session:
        print("truth", await fetch(session, url))
        await asyncio.gather(probe(session, url), probe(session, url))
        await asyncio.sleep(0.1)
        waiting = [asyncio.create_task(fetch(session, url)) for _ in range(5)]
        done, pending = await asyncio.wait(waiting, timeout=1.2)
        print("truth", len(pending))
    await asyncio.gather(*bystanders)
    await runner.cleanup()


asyncio.run(main())
