"""async/await in a for loop: the pages are fetched one after the other (the most asked question on async scraping).

Truth: 15 pages of 80 ms each take 1.2 s; gathered they take 0.1 s.
"""

import asyncio
import time

import aiohttp
from aiohttp import web


async def page(request):
    await asyncio.sleep(0.08)
    return web.Response(text="<html>")


async def crawl(urls):
    pages = []
    async with aiohttp.ClientSession() as session:
        for url in urls:
            async with session.get(url) as response:
                pages.append(await response.text())
    return pages


async def main():
    app = web.Application()
    app.router.add_get("/{n}", page)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    begun = time.perf_counter()
    pages = await crawl([f"{base}/{n}" for n in range(15)])
    print(f"truth: {len(pages)} pages in {time.perf_counter() - begun:.2f} s")
    await runner.cleanup()


asyncio.run(main())
