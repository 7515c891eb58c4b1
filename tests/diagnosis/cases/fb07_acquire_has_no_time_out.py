"""A small pool of asyncpg is busy, and requests wait in `acquire` without a time-out
(https://github.com/hushh-labs/hushh-research/issues/5871).
truth: 3 connections; each is held 150 ms, in the query of `grant_consent`; 24 requests wait up to 1 s."""
import asyncio
import os
import time

import asyncpg

waited = []


async def grant_consent(pool, user):
    began = time.monotonic()
    async with pool.acquire() as connection:
        waited.append(time.monotonic() - began)
        await connection.execute("select pg_sleep(0.15)")
        await connection.fetchval("select $1::int", user)


async def main():
    async with asyncpg.create_pool(os.environ["PG_URL"], min_size=3, max_size=3) as pool:
        await asyncio.gather(*(grant_consent(pool, user) for user in range(24)))
    print("truth", round(max(waited), 2))


asyncio.run(main())
