"""HEALTHY: items are sent in batches, 15 ms after the first one of a batch; one timer a batch."""
import asyncio


class Batch:
    def __init__(self):
        self.items = []

    def add(self, item):
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        if not self.items:
            loop.call_later(0.015, self.send)
        self.items.append((item, done))
        return done

    def send(self):
        items, self.items = self.items, []
        for item, done in items:
            done.set_result(item)


async def push(batch, n):
    return await batch.add(n)


async def main():
    batch = Batch()
    async with asyncio.TaskGroup() as group:
        for n in range(200):
            group.create_task(push(batch, n))
            await asyncio.sleep(0.006)


asyncio.run(main())
