"""Connections are kept in a transaction during a call to another service
(https://github.com/un-fao/GeoID/issues/2343).
truth: 10 requests share 2 connections; each is kept 150 ms, most of it in `call_storage`."""
import asyncio
import os

import asyncpg


async def call_storage():
    await asyncio.sleep(0.15)


async def ingest(pool):
    async with pool.acquire() as connection, connection.transaction():
        await connection.fetchval("select 1")
        await call_storage()


async def main():
    async with asyncpg.create_pool(os.environ["PG_URL"], min_size=2, max_size=2) as pool:
        async with asyncio.TaskGroup() as group:
            for n in range(10):
                group.create_task(ingest(pool), name=f"request-{n}")


asyncio.run(main())
