"""One task loads a value for all; its client hangs up, it is cancelled, and nobody sets the event
(after reports of caches that coalesce requests: https://github.com/aio-libs/async-lru/issues).
truth: 7 tasks wait 1.2 s in Event.wait in `get`, in vain; `load`'s task was cancelled at 0.1 s."""
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
        self.value = await self.load()
        self.loading.set()
        return self.value

    async def load(self):
        await asyncio.sleep(0.3)
        return "config"


async def request(cache, patience):
    try:
        async with asyncio.timeout(patience):
            return await cache.get()
    except TimeoutError:
        return "gave up"


async def main():
    cache = Cache()
    first = asyncio.create_task(request(cache, 0.1))
    await asyncio.sleep(0)
    others = [request(cache, 1.2 + n / 100) for n in range(7)]
    print("truth", await first, await asyncio.gather(*others))


asyncio.run(main())
