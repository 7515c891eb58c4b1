"""A rate limiter that sleeps while it has its lock makes all calls wait in turn
(https://github.com/mjpieters/aiolimiter/issues/73).
truth: `acquire` sleeps 60 ms with the asyncio.Lock; 12 calls wait up to 0.7 s."""
import asyncio


class Limiter:
    def __init__(self):
        self.lock = asyncio.Lock()

    async def acquire(self):
        async with self.lock:
            await asyncio.sleep(0.06)


async def call(limiter):
    await limiter.acquire()


async def main():
    limiter = Limiter()
    await asyncio.gather(*(call(limiter) for _ in range(12)))


asyncio.run(main())
