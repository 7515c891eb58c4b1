"""Two tasks use one connection, which has one thread."""

import asyncio

import aiosqlite


async def work(db: aiosqlite.Connection) -> None:
    await db.execute("select 1")  #: await query (aiosqlite) slots=1


async def main() -> None:
    async with aiosqlite.connect(":memory:") as db:  #: await connect (aiosqlite)
        await asyncio.gather(work(db), work(db))


asyncio.run(main())
