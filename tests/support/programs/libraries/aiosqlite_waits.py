"""Two tasks use one connection, which has one thread."""

import asyncio

import aiosqlite


async def work(db: aiosqlite.Connection) -> None:
    await db.execute("select 1")  #: await executor (aiosqlite) slots=1


async def main() -> None:
    async with aiosqlite.connect(":memory:") as db:  #: await executor (aiosqlite) slots=1
        await asyncio.gather(work(db), work(db))


asyncio.run(main())
