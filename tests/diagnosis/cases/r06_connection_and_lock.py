"""One task has the only connection and waits for a lock; another has the lock and waits for it
(after reports of services that hang with an exhausted pool of asyncpg: https://github.com/MagicStack/asyncpg/issues).
truth: `sync_user` has the connection and waits for the Lock of `rebuild`, which waits for a connection."""
import asyncio
import os

import asyncpg

cache_lock = asyncio.Lock()


async def sync_user(pool):
    async with pool.acquire() as connection:
        await connection.fetchval("select 1")
        await asyncio.sleep(0.05)
        async with cache_lock:
            await connection.fetchval("select 2")


async def rebuild(pool):
    async with cache_lock:
        await asyncio.sleep(0.08)
        async with pool.acquire() as connection:
            await connection.fetchval("select 3")


async def main():
    pool = await asyncpg.create_pool(os.environ["PG_URL"], min_size=1, max_size=1)
    jobs = [asyncio.create_task(job(pool)) for job in (sync_user, rebuild)]
    _, pending = await asyncio.wait(jobs, timeout=1.4)
    print("truth", len(pending), "stuck")
    for job in pending:
        job.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    pool.terminate()


asyncio.run(main())
