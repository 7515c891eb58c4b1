"""HEALTHY: a consumer releases its lock before it waits; a coordinator pauses it for a moment now
and then, waits for its answer, and tasks that are no longer needed are cancelled and awaited."""
import asyncio
import contextlib


class Consumer:
    def __init__(self):
        self.lock, self.running = asyncio.Lock(), asyncio.Event()
        self.topic, self.done = asyncio.Queue(), []
        self.running.set()

    async def work(self):
        while True:
            await self.running.wait()
            message = await self.topic.get()
            async with self.lock:
                await asyncio.sleep(0.003)
                self.done.append(message)


async def produce(consumer):
    for n in range(200):
        consumer.topic.put_nowait(n)
        await asyncio.sleep(0.008)


async def coordinate(consumer):
    while True:
        await asyncio.sleep(0.2)
        consumer.running.clear()
        async with consumer.lock:
            await asyncio.sleep(0.005)
        consumer.running.set()


async def main():
    consumer = Consumer()
    workers = [asyncio.create_task(consumer.work()) for _ in range(2)]
    coordinator = asyncio.create_task(coordinate(consumer))
    await produce(consumer)
    while len(consumer.done) < 200:
        await asyncio.sleep(0.02)
    for task in (*workers, coordinator):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    print(len(consumer.done))


asyncio.run(main())
