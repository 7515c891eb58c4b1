"""One slow step holds up everybody, once: 25 handlers wait while a cache is built in the loop.
truth: `rebuild_cache` computes for about 80 ms; 25 `handler` tasks wait behind it."""
import asyncio
import time


def build():
    end = time.thread_time() + 0.08
    n = 0
    while time.thread_time() < end:
        n += 1
    return n


async def rebuild_cache():
    await asyncio.sleep(0.1)
    build()


async def handler():
    worst = 0.0
    for _ in range(20):
        before = time.perf_counter()
        await asyncio.sleep(0.01)
        worst = max(worst, time.perf_counter() - before - 0.01)
    return worst


async def main():
    handlers = [asyncio.create_task(handler()) for _ in range(25)]
    await rebuild_cache()
    late = await asyncio.gather(*handlers)
    print(f"truth {sum(one > 0.05 for one in late)} handlers late by {max(late) * 1e3:.0f} ms")


asyncio.run(main())
