"""One connection keeps a write transaction open while its task awaits something else
(https://github.com/omnilib/aiosqlite/issues/251).
truth: `save` waits 0.8 s in execute; `import_feed` has a transaction open, awaiting `download`."""
import asyncio
import os
import sqlite3
import tempfile

import aiosqlite


async def download():
    await asyncio.sleep(0.8)


async def import_feed(path, began):
    async with aiosqlite.connect(path) as db:
        await db.execute("begin immediate")
        await db.execute("insert into item values (1)")
        began.set()
        await download()
        await db.commit()


async def save(path, n):
    async with aiosqlite.connect(path, timeout=5) as db:
        await db.execute("insert into item values (?)", (n,))
        await db.commit()


async def main():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "items.db")
        async with aiosqlite.connect(path) as db:
            await db.execute("create table item(n)")
        began = asyncio.Event()
        slow = asyncio.create_task(import_feed(path, began))
        await began.wait()
        await asyncio.gather(slow, *(save(path, n) for n in range(3)))


asyncio.run(main())
