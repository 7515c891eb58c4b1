"""A token bucket's `acquire` looks again every half millisecond, in 20 tasks
(after https://github.com/eventlet/eventlet/issues/30).
truth: `crawl` polls in `acquire`."""
import asyncio
import time

from aiohttp import ClientSession, web


class TokenBucket:
    def __init__(self, rate):
        self.rate, self.tokens, self.seen = rate, 1.0, time.monotonic()

    def refill(self):
        now = time.monotonic()
        self.tokens = min(self.rate, self.tokens + (now - self.seen) * self.rate)
        self.seen = now

    async def acquire(self):
        while True:
            self.refill()
            if self.tokens >= 1:
                self.tokens -= 1
                return
            await asyncio.sleep(0.0005)


async def page(request):
    await asyncio.sleep(0.005)
    return web.Response(text="x" * 2000)


async def crawl(session, bucket, url, n):
    for k in range(6):
        await bucket.acquire()
        async with session.get(f"{url}/{n}/{k}") as answer:
            await answer.text()


async def main():
    app = web.Application()
    app.router.add_get("/{n}/{k}", page)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    bucket = TokenBucket(50)
    async with ClientSession() as session:
        await asyncio.gather(*(crawl(session, bucket, url, n) for n in range(20)))
    await runner.cleanup()


asyncio.run(main())
