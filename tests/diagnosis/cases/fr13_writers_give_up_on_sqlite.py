"""After github.com/Arize-ai/phoenix/issues/3949: "database is locked" under concurrent writes.

Truth: `bulk_insert` keeps its write transaction open for 1.2 s (a commit only at the end, with
awaits between the rows); `annotate` waits 0.3 s for the lock and fails, again and again.
"""

import asyncio
import os
import sqlite3
import tempfile

import aiosqlite


async def bulk_insert(path):
    async with aiosqlite.connect(path) as db:
        for row in range(60):
            await db.execute("insert into spans values (?)", (row,))
            await asyncio.sleep(0.02)
        await db.commit()


async def annotate(path, lost):
    async with aiosqlite.connect(path, timeout=0.3) as db:
        for row in range(5):
            try:
                await db.execute("insert into notes values (?)", (row,))
                await db.commit()
            except sqlite3.OperationalError:
                lost.append(row)
            await asyncio.sleep(0.02)


async def main():
    lost = []
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "phoenix.db")
        async with aiosqlite.connect(path) as db:
            await db.execute("create table spans (row)")
            await db.execute("create table notes (row)")
            await db.commit()
        jobs = [annotate(path, lost) for _ in range(3)]
        await asyncio.gather(bulk_insert(path), *jobs)
    print(len(lost))


asyncio.run(main())
