"""Healthy: short transactions in a pool that is large enough, and a report with one query."""
import asyncio
import os

import asyncpg


async def transfer(pool, number):
    for _ in range(8):
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("select $1::int", number)
            await connection.fetch("select generate_series(1, 20)")
        await asyncio.sleep(0.05)


async def main():
    async with asyncpg.create_pool(os.environ["PG_URL"], min_size=4, max_size=6) as pool:
        await asyncio.gather(*(transfer(pool, number) for number in range(5)))


asyncio.run(main())
