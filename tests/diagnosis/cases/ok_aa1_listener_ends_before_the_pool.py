"""Healthy: as aa01, but the listener is cancelled before the pool is closed."""
import asyncio
import os

import asyncpg


async def follow(pool, started):
    async with pool.acquire() as connection:
        await connection.add_listener("prices", print)
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            await connection.remove_listener("prices", print)


async def query(pool):
    for _ in range(20):
        await pool.fetchval("select 1")
        await asyncio.sleep(0.02)


async def main():
    pool = await asyncpg.create_pool(os.environ["PG_URL"], min_size=2, max_size=4)
    started = asyncio.Event()
    follower = asyncio.create_task(follow(pool, started))
    await started.wait()
    await asyncio.gather(*(query(pool) for _ in range(3)))
    follower.cancel()
    await asyncio.gather(follower, return_exceptions=True)
    await asyncio.wait_for(pool.close(), 10)


asyncio.run(main())
