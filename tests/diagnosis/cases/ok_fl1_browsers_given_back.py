"""Browsers in an asyncio.Queue: who meets a bad page puts his back, and tries again.
Truth: 3 browsers for 6 at a time; nobody waits for longer than two pages take, and none is lost.
"""
import asyncio


class BadPage(Exception):
    pass


class Scraper:
    def __init__(self):
        self.browsers = asyncio.Queue()
        for n in range(3):
            self.browsers.put_nowait(f"browser-{n}")

    async def parse(self, url):
        await asyncio.sleep(0.02)
        if url.endswith("7"):
            raise BadPage(url)
        return len(url)

    async def scrape(self, url):
        browser = await self.browsers.get()
        try:
            return await self.parse(url)
        finally:
            self.browsers.put_nowait(browser)


async def job(scraper, url):
    for _ in range(2):
        try:
            return await asyncio.wait_for(scraper.scrape(url), 1.0)
        except BadPage:
            await asyncio.sleep(0.05)
        except TimeoutError:
            return "no browser"


async def main():
    scraper, found = Scraper(), []
    for first in range(0, 24, 6):
        urls = [f"http://shop/item/{n}" for n in range(first, first + 6)]
        found += await asyncio.gather(*(job(scraper, url) for url in urls))
    print("truth", found.count("no browser"), "gave up")


asyncio.run(main())
