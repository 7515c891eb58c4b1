"""A rate limiter sleeps to the end of the window while it has the lock that a finished request needs to record
its headers (https://github.com/port-labs/ocean/pull/3266).
truth: `Limiter.__aenter__` holds the lock across `sleep` for 0.25 s; `update_from_headers` and other requests
wait for it."""
import asyncio
import time


class Limiter:
    def __init__(self):
        self.lock, self.left, self.reset = asyncio.Lock(), 5, time.monotonic() + 0.25

    async def __aenter__(self):
        async with self.lock:
            if self.left <= 0:
                await asyncio.sleep(max(0, self.reset - time.monotonic()))
                self.left, self.reset = 5, time.monotonic() + 0.25
            self.left -= 1

    async def __aexit__(self, *failed):
        await self.update_from_headers()

    async def update_from_headers(self):
        async with self.lock:
            self.left = min(self.left, 5)


async def make_request(limiter, n):
    async with limiter:
        await asyncio.sleep(0.03)


async def sync(limiter, n):
    for k in range(5):
        await make_request(limiter, k)
        await asyncio.sleep(0.01)


async def main():
    limiter = Limiter()
    await asyncio.gather(*(sync(limiter, n) for n in range(6)))


asyncio.run(main())
