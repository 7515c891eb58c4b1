"""A task puts into a full queue under the lock that the queue's consumer takes for each item
(after reports of asyncio programs in which a lock and a bounded queue wait for each other).
truth: `collect` has the Lock and waits in put; `flush`, which empties the queue, waits for the Lock."""
import asyncio


class Metrics:
    def __init__(self):
        self.lock, self.points, self.total = asyncio.Lock(), asyncio.Queue(5), 0

    async def collect(self):
        async with self.lock:
            for n in range(12):
                await self.points.put(n)

    async def flush(self):
        while True:
            point = await self.points.get()
            async with self.lock:
                self.total += point


async def main():
    metrics = Metrics()
    tasks = [asyncio.create_task(metrics.flush()), asyncio.create_task(metrics.collect())]
    await asyncio.wait(tasks, timeout=1.2)
    print("truth total", metrics.total)
    for task in tasks:
        task.cancel()


asyncio.run(main())
