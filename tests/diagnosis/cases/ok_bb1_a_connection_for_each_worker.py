"""Healthy: as bb02, but four workers connect once and use their connections for all requests."""
import asyncio
import os

import asyncpg

URL = os.environ["PG_URL"]


async def handle(connection):
    return await connection.fetchval("select 1")


async def client():
    connection = await asyncpg.connect(URL)
    for _ in range(100):
        await asyncio.create_task(handle(connection))
        await asyncio.sleep(0.005)
    await connection.close()


async def main():
    await asyncio.gather(*(client() for _ in range(4)))


asyncio.run(main())
