"""A reader is slowed down by a bounded queue, and stopped with the rest at the end."""
import asyncio


async def read(queue):
    n = 0
    while True:
        await queue.put(n)
        n += 1


async def store(queue):
    while True:
        await queue.get()
        await asyncio.sleep(0.3)


async def main():
    queue = asyncio.Queue(2)
    tasks = [asyncio.create_task(read(queue)), asyncio.create_task(store(queue))]
    await asyncio.sleep(2.0)
    for t in tasks:
        t.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


asyncio.run(main())
