"""A message handler stops its consumer, and `stop` waits for the handlers that still run, this one among them
(after https://github.com/benjamin-hodgson/asynqp/issues/6 and https://github.com/mosquito/aio-pika/issues/253).
truth: `on_message` waits 1.5 s in `stop` for `idle`, which is set when `on_message` has returned.
wanted: the task of `handle` waits in `stop` (line 33) for the event that it would set itself at its end."""

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
        await self.idle.wait()


async def on_message(consumer, message):
    await asyncio.sleep(0.05)
    if message == "shutdown":
        try:
            await asyncio.wait_for(consumer.stop(), 1.5)
        except TimeoutError:
            print("truth: stop timed out")


async def main():
    consumer = Consumer(on_message)
    for n in range(6):
        consumer.queue.put_nowait(n)
        await asyncio.sleep(0.02)
    consumer.queue.put_nowait("shutdown")
    await consumer.loop_task
    await asyncio.sleep(0.05)
    while consumer.running:
        await asyncio.sleep(0.1)


asyncio.run(main())
