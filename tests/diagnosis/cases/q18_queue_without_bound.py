"""A bus has queues without bound, and its consumer is slower than what comes in
(https://github.com/HKUDS/nanobot/issues/4780).
truth: `inbound` grows to about 600 messages in 1.5 s; `dispatch` handles one per 6 ms, 500 per second come."""
import asyncio


class Bus:
    def __init__(self):
        self.inbound = asyncio.Queue()

    async def publish(self, message):
        await self.inbound.put(message)

    async def dispatch(self):
        while True:
            await self.inbound.get()
            await asyncio.sleep(0.006)  # asks a model


async def channel(bus, name):
    for n in range(150):
        await bus.publish(f"{name} {n}")
        await asyncio.sleep(0.008)


async def main():
    bus = Bus()
    consumer = asyncio.create_task(bus.dispatch())
    await asyncio.gather(*(channel(bus, name) for name in ("mail", "chat", "phone", "web", "fax")))
    print("truth", bus.inbound.qsize(), "messages wait")
    consumer.cancel()


asyncio.run(main())
