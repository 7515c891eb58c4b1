"""Each visitor waits for news of his own; somebody publishes for one after the other, as news
come."""
import asyncio


async def visitor(waiting, n):
    await asyncio.sleep(n * 0.02)
    for _ in range(2):
        waiting[n] = asyncio.Event()
        await waiting[n].wait()


async def publish(waiting):
    for _ in range(2):
        for n in sorted(waiting):
            await asyncio.sleep(0.1)
            waiting[n].set()


async def main():
    waiting = {}
    visitors = [asyncio.create_task(visitor(waiting, n)) for n in range(10)]
    await asyncio.sleep(0.3)
    await publish(waiting)
    await asyncio.gather(*visitors)


asyncio.run(main())
