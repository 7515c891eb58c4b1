"""Healthy: one task loads a value, and others wait for it, for 0.3 s."""
import asyncio


class Cache:
    def __init__(self):
        self.value, self.loading = None, None

    async def get(self):
        if self.value is not None:
            return self.value
        if self.loading is not None:
            await self.loading.wait()
            return self.value
        self.loading = asyncio.Event()
        try:
            await asyncio.sleep(0.3)
            self.value = "config"
        finally:
            self.loading.set()
        return self.value


async def main():
    cache = Cache()
    await asyncio.gather(*(cache.get() for _ in range(8)))
    for _ in range(20):
        await asyncio.sleep(0.02)
        await cache.get()


asyncio.run(main())
