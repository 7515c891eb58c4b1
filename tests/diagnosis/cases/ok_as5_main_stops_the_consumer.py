"""Healthy: the handler asks main to stop the consumer, which then waits for the handlers."""

import asyncio


class Consumer:
    def __init__(self, callback):
        self.callback = callback
        self.queue = asyncio.Queue()
        self.running = 0
        self.idle = asyncio.Event()
        self.loop_task = asyncio.create_task(self.consume())

    async def consume(self):
        while (message := await self.queue.get()) is not None:
            self.running += 1
            self.idle.clear()
            asyncio.create_task(self.handle(message))

    async def handle(self, message):
        try:
            await self.callback(self, message)
        finally:
            self.running -= 1
            if not self.running:
                self.idle.set()

    async def stop(self):
        self.queue.put_nowait(None)
        await self.loop_task
        await asyncio.wait_for(self.idle.wait(), 2)


async def main():
    stopping = asyncio.Event()

    async def on_message(consumer, message):
        await asyncio.sleep(0.3)
        if message == "shutdown":
            stopping.set()

    consumer = Consumer(on_message)
    for n in range(30):
        consumer.queue.put_nowait(n)
        await asyncio.sleep(0.03)
    consumer.queue.put_nowait("shutdown")
    await stopping.wait()
    await consumer.stop()


asyncio.run(main())
