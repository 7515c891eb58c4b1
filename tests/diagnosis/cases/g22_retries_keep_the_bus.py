"""A client takes the lock of its bus for each attempt, and at once again for the next: while one
device does not answer, the others get no turn.

After https://github.com/pymodbus-dev/pymodbus/issues/2432
"""
import asyncio


class Bus:
    def __init__(self):
        self.lock = asyncio.Lock()

    async def transfer(self, device, answers):
        async with self.lock:
            await asyncio.sleep(0.02 if answers else 0.25)
            return answers

    async def read(self, device, answers=True):
        for _ in range(4):
            if await self.transfer(device, answers):
                return


async def poll(bus, n):
    for _ in range(3):
        await asyncio.sleep(0.1 + 0.04 * n)
        await bus.read(n)


async def poll_dead_device(bus):
    for _ in range(2):
        await asyncio.sleep(0.05)
        await bus.read(99, answers=False)


async def main():
    bus = Bus()
    await asyncio.gather(poll_dead_device(bus), *(poll(bus, n) for n in range(5)))


asyncio.run(main())
