"""An asynccontextmanager lends sessions; a stream keeps one while its client reads slowly.
truth: `session()` lends 2 slots (asyncio.Semaphore in an asynccontextmanager); `stream` keeps one for 0.4 s
while it sleeps between chunks; `lookup` requests wait for a slot."""
import asyncio
import contextlib
import time


class Database:
    def __init__(self):
        self.slots = asyncio.Semaphore(2)

    @contextlib.asynccontextmanager
    async def session(self):
        await self.slots.acquire()
        try:
            yield self
        finally:
            self.slots.release()

    async def fetch(self, n):
        await asyncio.sleep(0.005)
        return n


async def stream(db, n):
    async with db.session() as s:
        for k in range(10):
            await s.fetch(k)
            await asyncio.sleep(0.035)  # the client reads slowly


async def lookup(db, n, waits):
    t = time.monotonic()
    async with db.session() as s:
        await s.fetch(n)
    waits.append(time.monotonic() - t)


async def streams(db, n):
    for k in range(4):
        await stream(db, k)
        await asyncio.sleep(0.02)


async def main():
    db, waits = Database(), []
    async with asyncio.TaskGroup() as group:
        for n in range(3):
            group.create_task(streams(db, n), name=f"stream-{n}")
        for n in range(40):
            group.create_task(lookup(db, n, waits), name=f"lookup-{n}")
            await asyncio.sleep(0.04)
    print("worst", round(max(waits), 2))


asyncio.run(main())
