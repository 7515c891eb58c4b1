"""All calls share a limiter of 3 slots that sleeps off its period inside the slot
(https://github.com/mjpieters/aiolimiter reports; own code).
truth: 3 permits, each kept 0.2 s, most of it asleep in `call_api` to hold the rate; others wait up to
1.5 s."""
import asyncio
import time


class Api:
    def __init__(self):
        self.slots, self.calls = asyncio.Semaphore(3), 0

    async def call_api(self, path):
        async with self.slots:
            since = time.monotonic()
            await asyncio.sleep(0.01)
            self.calls += 1
            await asyncio.sleep(max(0, 0.2 - (time.monotonic() - since)))
            return path


async def handler(api, n, late):
    for _ in range(1):
        since = time.monotonic()
        await api.call_api(f"/item/{n}")
        late.append(time.monotonic() - since)
        await asyncio.sleep(0.05)


async def clients(api, late):
    tasks = set()
    for n in range(36):
        task = asyncio.create_task(handler(api, n, late))
        tasks.add(task)
        await asyncio.sleep(0.02)
    await asyncio.gather(*tasks)


async def main():
    api, late = Api(), []
    beat = asyncio.create_task(clients(api, late))
    while not beat.done():
        await asyncio.sleep(0.02)
    print("truth", f"{max(late):.2f}")


asyncio.run(main())
