"""Each call connects anew and nobody closes: aiosqlite has a thread and a file for each connection (after
https://github.com/omnilib/aiosqlite/issues and many on threads that stay).
truth: 71 connections, made in `connect` of `Database`, none closed; their threads would not let the program end."""
import asyncio
import os
import tempfile

import aiosqlite

PATH = os.path.join(tempfile.mkdtemp(), "notes.db")


class Database:
    def __init__(self, path): self.path = path
    async def connect(self):
        db = await aiosqlite.connect(self.path)
        db.row_factory = aiosqlite.Row
        return db


class Notes:
    def __init__(self, database): self.database, self.open = database, []
    async def add(self, text):
        db = await self.database.connect()
        self.open.append(db)
        await db.execute("insert into notes(body) values (?)", (text,))
        await db.commit()
    async def count(self):
        db = await self.database.connect()
        self.open.append(db)
        async with db.execute("select count(*) from notes") as cur:
            return (await cur.fetchone())[0]


class Api:
    def __init__(self, notes): self.notes = notes
    async def post(self, i):
        await self.notes.add(f"note {i}")
        await self.notes.count()


async def main():
    database = Database(PATH)
    setup = await database.connect()
    await setup.execute("create table notes(id integer primary key, body text)")
    await setup.commit()
    await setup.close()
    api = Api(Notes(database))
    for i in range(35):
        await asyncio.create_task(api.post(i), name=f"post-{i}")
        await asyncio.sleep(0.05)
    os._exit(0)  # whose threads would not let it end


asyncio.run(main())
