"""Healthy: on stop the service takes no more orders and works off those that it has, which takes a second.

Truth: 4 workers of 50 ms each; 80 orders are accepted in a burst at the end; `join` waits 1 s while all workers work.
"""

import asyncio
import time


class Orders:
    def __init__(self):
        self.queue = asyncio.Queue()
        self.open = True

    def accept(self, order):
        if self.open:
            self.queue.put_nowait(order)
        return self.open

    async def worker(self, saved):
        while True:
            order = await self.queue.get()
            try:
                await asyncio.sleep(0.05)
                saved.append(order)
            finally:
                self.queue.task_done()

    async def stop(self, workers):
        self.open = False
        await self.queue.join()
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


async def main():
    orders, saved = Orders(), []
    workers = [asyncio.create_task(orders.worker(saved), name=f"worker-{n}") for n in range(4)]
    for n in range(60):
        orders.accept(n)
        await asyncio.sleep(0.04)
    for n in range(80):
        orders.accept(100 + n)
    began = time.monotonic()
    await orders.stop(workers)
    print("truth", len(saved), "saved, drained in", round(time.monotonic() - began, 2), "s")


asyncio.run(main())
