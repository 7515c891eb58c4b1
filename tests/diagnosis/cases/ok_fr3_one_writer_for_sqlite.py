"""Healthy: requests put rows into a queue, one writer commits them in batches."""

import asyncio
import os
import tempfile

import aiosqlite


async def writer(path, queue):
    async with aiosqlite.connect(path) as db:
        await db.execute("create table rows (number)")
        while (row := await queue.get()) is not None:
            batch = [row]
            while not queue.empty() and queue._queue[0] is not None:
                batch.append(queue.get_nowait())
            await db.executemany("insert into rows values (?)", batch)
            await db.commit()


async def request(queue, number):
    await asyncio.sleep(0.01)
    await queue.put((number,))


async def main():
    with tempfile.TemporaryDirectory() as folder:
        queue = asyncio.Queue(maxsize=200)
        task = asyncio.create_task(writer(os.path.join(folder, "a.db"), queue))
        for burst in range(40):
            await asyncio.gather(*(request(queue, burst * 5 + n) for n in range(5)))
            await asyncio.sleep(0.02)
        await queue.put(None)
        await task


asyncio.run(main())
