"""`pool.close()` waits for a connection that a forgotten listener keeps
(https://github.com/encode/databases/issues/477).
truth: `main` waits 1.5 s in `Pool.close` and gives up; `follow` keeps a connection since the start."""
import asyncio
import os

import asyncpg


async def follow(pool, started):
    async with pool.acquire() as connection:
        await connection.add_listener("prices", lambda *_: None)
        started.set()
        await asyncio.Event().wait()


async def query(pool):
    for _ in range(5):
        await pool.fetchval("select 1")


async def main():
    pool = await asyncpg.create_pool(os.environ["PG_URL"], min_size=2, max_size=4)
    started = asyncio.Event()
    follower = asyncio.create_task(follow(pool, started))
    await started.wait()
    await asyncio.gather(*(query(pool) for _ in range(3)))
    try:
        await asyncio.wait_for(pool.close(), 1.5)
    except TimeoutError:
        print("truth: close gave up after 1.5 s")
        pool.terminate()
    follower.cancel()


asyncio.run(main())
