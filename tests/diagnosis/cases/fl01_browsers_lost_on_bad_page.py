"""Browsers in an asyncio.Queue: who meets a bad page does not put his back, and tries again ("scraper hangs after some
pages").
Truth: 3 browsers; items 7 and 17 are bad: 3 are lost in `scrape`, and 7 tasks wait for one in vain, 1.0 s each.
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
        size = await self.parse(url)
        self.browsers.put_nowait(browser)
        return size


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
