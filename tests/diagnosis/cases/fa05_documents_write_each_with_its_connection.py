"""Each write of each document opens a connection of its own; they run into each other: database is locked
(https://github.com/y-crdt/ypy-websocket/pull/61).
truth: tasks `save-N` wait 0.4 s in execute in `Store.write` and fail, "database is locked": another `Store.write` has the transaction open while it awaits `metadata`."""
import asyncio
import os
import sqlite3
import tempfile
import time

import aiosqlite

PATH = os.path.join(tempfile.mkdtemp(), "updates.db")


class Store:
    def __init__(self, name):
        self.name = name

    async def metadata(self):
        await asyncio.sleep(0.25)
        return b"user=7"

    async def write(self, update):
        async with aiosqlite.connect(PATH, timeout=0.4) as db:
            await db.execute("insert into yupdates values (?, ?, ?)", (self.name, update, b""))
            await db.execute("update yupdates set meta = ? where name = ?", (await self.metadata(), self.name))
            await db.commit()


async def edit(name, failed):
    store = Store(name)
    for n in range(3):
        begun = time.perf_counter()
        try:
            await store.write(bytes(20))
        except sqlite3.OperationalError as error:
            failed.append((name, str(error), round(time.perf_counter() - begun, 2)))


async def main():
    async with aiosqlite.connect(PATH) as db:
        await db.execute("create table yupdates(name, update_, meta)")
        await db.commit()
    failed = []
    await asyncio.gather(*[asyncio.create_task(edit(f"doc-{n}", failed), name=f"save-{n}") for n in range(4)])
    print("truth", len(failed), failed[:2])


asyncio.run(main())
