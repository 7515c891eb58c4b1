"""After github.com/MagicStack/asyncpg/issues/794: the first insert after a pause is slow.

Truth: the pool closes connections that were idle for 0.1 s, and an event comes each 0.2 s: each
`store` opens a connection anew and sets it up (`prepare`, 80 ms) before its insert of 2 ms.
"""

import asyncio
import os

import asyncpg


async def prepare(connection):
    await connection.execute("select pg_sleep(0.08)")


async def store(pool, number):
    async with pool.acquire() as connection:
        await connection.execute("insert into events values ($1)", number)


async def main():
    pool = await asyncpg.create_pool(
        os.environ["PG_URL"],
        min_size=0,
        max_size=4,
        max_inactive_connection_lifetime=0.1,
        init=prepare,
    )
    await pool.execute("create table if not exists events (number integer)")
    for number in range(12):
        await asyncio.sleep(0.2)
        await store(pool, number)
    await pool.close()


asyncio.run(main())
