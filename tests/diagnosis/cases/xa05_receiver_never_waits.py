"""A receiver asks its channel again and again, and never waits for it (after
https://github.com/snstac/pytak/pull/22 and https://github.com/replicate/cog/issues/651). trio.
truth: `run` of the receiver calls `read` many ten thousand times for 8 messages."""
import trio


class Bus:
    def __init__(self):
        self.send, self.receive = trio.open_memory_channel(50)


class Receiver:
    def __init__(self, bus, sink): self.bus, self.sink = bus, sink
    def read(self):
        try:
            return self.bus.receive.receive_nowait()
        except trio.WouldBlock:
            return None
    async def run(self):
        while True:
            message = self.read()
            if message is not None:
                await self.sink(message)
            await trio.sleep(0)


class Sender:
    def __init__(self, bus): self.bus = bus
    async def run(self, scope):
        for i in range(8):
            await self.bus.send.send(f"cot {i}")
            await trio.sleep(0.08)
        scope.cancel()


class Store:
    def __init__(self): self.seen = []
    async def write(self, message):
        await trio.sleep(0.001)
        self.seen.append(message)


async def main():
    bus, store = Bus(), Store()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Receiver(bus, store.write).run, name="rx-worker")
        nursery.start_soon(Sender(bus).run, nursery.cancel_scope, name="tx-worker")


trio.run(main)
