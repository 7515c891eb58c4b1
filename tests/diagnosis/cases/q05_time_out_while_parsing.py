"""Answers are there, but their time-outs expire while another answer is being processed
(https://github.com/aio-libs/aiohttp/issues/3457).
truth: `summarise` computes 0.4 s on the loop, twice; the requests beside it time out after 0.3 s."""
import asyncio
import time

import aiohttp
from aiohttp import web


async def page(request):
    await asyncio.sleep(0.01)
    return web.Response(text="word " * 2_000)


def summarise(text):
    end, counts = time.perf_counter() + 0.4, {}
    while time.perf_counter() < end:
        for word in text.split():
            counts[word] = counts.get(word, 0) + 1
    return counts


async def fetch(session, url, heavy):
    try:
        async with asyncio.timeout(0.3):
            async with session.get(url) as response:
                text = await response.text()
    except TimeoutError:
        return "timed out"
    return len(summarise(text)) if heavy else len(text)


async def main():
    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    async with aiohttp.ClientSession() as session:
        requests = (fetch(session, url, n in (0, 3)) for n in range(9))
        print("truth", await asyncio.gather(*requests))
    await runner.cleanup()


asyncio.run(main())
