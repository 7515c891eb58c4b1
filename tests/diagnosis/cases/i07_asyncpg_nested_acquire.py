"""A request takes a second connection while it has one
(https://github.com/nsidnev/fastapi-realworld-example-app/issues/64).
truth: 2 connections, 2 requests have one each and wait 1 s in `find_user` for another."""
import asyncio
import os

import asyncpg


async def find_user(pool):
    async with pool.acquire(timeout=1) as connection:
        return await connection.fetchval("select 1")


async def update_profile(pool):
    async with pool.acquire() as connection:
        await connection.fetchval("select 2")
        await asyncio.sleep(0.05)
        await find_user(pool)


async def main():
    async with asyncpg.create_pool(os.environ["PG_URL"], min_size=2, max_size=2) as pool:
        requests = (update_profile(pool) for _ in range(2))
        print(await asyncio.gather(*requests, return_exceptions=True))


asyncio.run(main())
