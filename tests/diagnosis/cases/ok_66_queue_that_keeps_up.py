"""Healthy: a queue without bound whose consumers keep up, though bursts wait a little."""
import asyncio


async def consume(queue):
    while True:
        await queue.get()
        await asyncio.sleep(0.004)


async def burst(queue):
    for _ in range(6):
        for n in range(20):
            queue.put_nowait(n)
        await asyncio.sleep(0.2)


async def main():
    queue = asyncio.Queue()
    workers = [asyncio.create_task(consume(queue)) for _ in range(3)]
    await burst(queue)
    for worker in workers:
        worker.cancel()


asyncio.run(main())
