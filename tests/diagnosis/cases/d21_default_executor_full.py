"""Long polls in asyncio's default executor leave no worker for short calls (as python/cpython#112169).
truth: all workers of the default executor sleep in `poll_feed`; `save` waits 0.5 s for one."""
import asyncio
import concurrent.futures
import time


def poll_feed():
    time.sleep(0.5)


def save():
    return 1


async def follow():
    for _ in range(2):
        await asyncio.to_thread(poll_feed)


async def request():
    before = time.perf_counter()
    await asyncio.to_thread(save)
    return time.perf_counter() - before


async def main():
    asyncio.get_running_loop().set_default_executor(concurrent.futures.ThreadPoolExecutor(4))
    feeds = [asyncio.create_task(follow()) for _ in range(5)]
    await asyncio.sleep(0.05)
    print(f"truth save took {max(await asyncio.gather(*(request() for _ in range(3)))) * 1e3:.0f} ms")
    await asyncio.gather(*feeds)


asyncio.run(main())
