"""Healthy: a waiter that gives up takes its event back."""

import asyncio


class Bell:
    def __init__(self):
        self.waiters = []
        self.items = []

    async def wait(self):
        event = asyncio.Event()
        self.waiters.append(event)
        try:
            await event.wait()
        finally:
            if event in self.waiters:
                self.waiters.remove(event)
        return self.items.pop()

    def put(self, item):
        self.items.append(item)
        if self.waiters:
            self.waiters.pop(0).set()


async def probe(bell):
    try:
        await asyncio.wait_for(bell.wait(), 0.1)
    except TimeoutError:
        pass


async def worker(bell, got):
    while True:
        got.append(await bell.wait())
        await asyncio.sleep(0.01)


async def main():
    bell, got = Bell(), []
    await probe(bell)
    task = asyncio.create_task(worker(bell, got))
    for n in range(5):
        await asyncio.sleep(0.4)
        bell.put(n)
    await asyncio.sleep(0.1)
    task.cancel()


asyncio.run(main())
