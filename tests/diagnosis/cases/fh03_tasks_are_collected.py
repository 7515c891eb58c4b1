"""Fire-and-forget tasks that the garbage collector takes (https://github.com/python/cpython/issues/91887).

Truth: `refresh` waits for a future that only its own frame knows; nobody keeps the task.
Each collection destroys them: `collect` waits its whole 1.5 s for results that never come.
"""

import asyncio
import gc
import time


class Feed:
    def __init__(self):
        self.ready = asyncio.get_running_loop().create_future()
        self.owner = self


async def refresh(name, results):
    feed = Feed()
    feed.on_ready = lambda: feed.ready.set_result(name)
    await feed.ready
    await results.put(name)


def start(results):
    for n in range(6):
        asyncio.create_task(refresh(f"shop-{n}", results))


async def collect(results, count):
    got = []
    try:
        async with asyncio.timeout(1.5):
            while len(got) < count:
                got.append(await results.get())
    except TimeoutError:
        pass
    return got


async def housekeeping():
    while True:
        await asyncio.sleep(0.2)
        gc.collect()


async def main():
    results = asyncio.Queue()
    keeper = asyncio.create_task(housekeeping())
    start(results)
    begun = time.perf_counter()
    got = await collect(results, 6)
    print(f"truth: {len(got)} of 6 after {time.perf_counter() - begun:.1f} s")
    keeper.cancel()


asyncio.run(main())
