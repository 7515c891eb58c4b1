"""Retries back off with the permit in hand, so calls that would succeed wait for it
(https://github.com/vectorize-io/hindsight/issues/3130).
truth: 2 permits; `call_model` sleeps 2 x 0.3 s in its back-off with one; `quick` waits 0.6 s."""
import asyncio


class Provider:
    def __init__(self):
        self.permits = asyncio.Semaphore(2)

    async def call(self, scope, fails):
        async with self.permits:
            for attempt in range(3):
                try:
                    return await self.request(scope, attempt < fails)
                except ConnectionError:
                    await self.back_off(attempt)

    async def back_off(self, attempt):
        await asyncio.sleep(0.3)

    async def request(self, scope, fail):
        await asyncio.sleep(0.005)
        if fail:
            raise ConnectionError("503")
        return scope


async def main():
    provider = Provider()
    slow = [asyncio.create_task(provider.call("retain", 2)) for _ in range(2)]
    await asyncio.sleep(0.02)
    quick = [asyncio.create_task(provider.call("reflect", 0)) for _ in range(4)]
    await asyncio.gather(*slow, *quick)


asyncio.run(main())
