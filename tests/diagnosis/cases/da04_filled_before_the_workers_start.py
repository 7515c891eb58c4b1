"""After github.com/econchick/mayhem/issues/4: all items are put first and the workers are started afterwards; with a bounded queue
the first step never ends.

Truth: `crawl` puts 50 links into a queue of 20; it waits in `put` for room at the 21st, and the workers, which it would
start in its next lines, do not exist yet. After 3 s it is given up.
"""

import asyncio


class Crawler:
    def __init__(self):
        self.links = asyncio.Queue(maxsize=20)
        self.seen = []

    async def sitemap(self):
        for n in range(50):
            await asyncio.sleep(0.01)
            yield f"http://docs/{n}"

    async def worker(self):
        while True:
            link = await self.links.get()
            await asyncio.sleep(0.02)
            self.seen.append(link)
            self.links.task_done()

    async def crawl(self):
        async for link in self.sitemap():
            await self.links.put(link)
        workers = [asyncio.create_task(self.worker(), name=f"worker-{n}") for n in range(4)]
        await self.links.join()
        for worker in workers:
            worker.cancel()


async def main():
    crawler = Crawler()
    try:
        await asyncio.wait_for(crawler.crawl(), 3.0)
    except TimeoutError:
        print("truth gave up,", crawler.links.qsize(), "links in the queue,", len(crawler.seen), "seen")


asyncio.run(main())
