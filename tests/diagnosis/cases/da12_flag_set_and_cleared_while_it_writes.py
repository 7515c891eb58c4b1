"""After reports of asyncio.Event used as a pulse (`set(); clear()`, python/cpython#82270 and Stack Overflow): who is busy misses it.

Truth: `writer` waits for `dirty`; `save` appends, then sets and clears it. What is saved while the writer is in its
`commit` of 0.15 s stays until the next save: those who wait for their row do so for up to 0.9 s instead of 0.15 s.
"""

import asyncio
import time


class Store:
    def __init__(self):
        self.dirty = asyncio.Event()
        self.rows = []

    async def commit(self, rows):
        await asyncio.sleep(0.15)
        for row in rows:
            row.set_result(True)

    async def writer(self):
        while True:
            await self.dirty.wait()
            rows, self.rows = self.rows, []
            await self.commit(rows)

    async def save(self):
        row = asyncio.get_running_loop().create_future()
        self.rows.append(row)
        self.dirty.set()
        self.dirty.clear()
        await row


async def request(store, after, times):
    await asyncio.sleep(after)
    began = time.monotonic()
    await store.save()
    times.append(time.monotonic() - began)


async def main():
    store, times = Store(), []
    writer = asyncio.create_task(store.writer(), name="writer")
    await asyncio.sleep(0.01)
    moments = [n * 0.9 + late for n in range(4) for late in (0.0, 0.05, 0.1)] + [3.6]
    await asyncio.gather(*(request(store, after, times) for after in moments))
    writer.cancel()
    print("truth", sum(took > 0.5 for took in times), "of", len(times), "rows waited", round(max(times), 2), "s")


asyncio.run(main())
