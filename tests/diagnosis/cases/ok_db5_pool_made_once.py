"""HEALTHY: twelve requests find no pool; one makes it under a lock, once, while the others wait for that."""
import asyncio
import os
import time

from psycopg_pool import AsyncConnectionPool

POOL_LOCK = asyncio.Lock()
pool = None
took = []


async def get_pool():
    global pool
    async with POOL_LOCK:
        if pool is None or pool.closed:
            pool = AsyncConnectionPool(os.environ["PG_URL"], min_size=12, max_size=12, open=False)
            await pool.open(wait=True)
    return pool


async def request(n):
    begun = time.monotonic()
    ready = await get_pool()
    async with ready.connection() as connection:
        await connection.execute("select %s, pg_sleep(0.02)", (n,))
    took.append(time.monotonic() - begun)


async def main():
    for _ in range(8):
        await asyncio.gather(*(request(n) for n in range(12)))
    print("truth slowest", round(max(took), 2))
    await pool.close()


asyncio.run(main())
