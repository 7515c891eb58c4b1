"""Each stream of events keeps a connection of the pool for as long as its browser is there
(https://github.com/MagicStack/asyncpg/issues/97).
truth: 3 `stream_events` have all 3 connections, asleep in `notifies`; 8 `list_orders` wait up to
0.8 s and fail."""
import asyncio
import os

from psycopg_pool import AsyncConnectionPool, PoolTimeout

failed = []


async def stream_events(pool, seconds):
    async with pool.connection() as connection:
        await connection.set_autocommit(True)
        await connection.execute("listen orders")
        async for _ in connection.notifies(timeout=seconds):
            pass


async def list_orders(pool):
    try:
        async with pool.connection(timeout=0.8) as connection:
            await connection.execute("select 1")
    except PoolTimeout:
        failed.append(1)


async def main():
    url = os.environ["PG_URL"]
    async with AsyncConnectionPool(url, min_size=3, max_size=3, open=False) as pool:
        await pool.wait()
        for _ in range(10):
            await asyncio.gather(*(list_orders(pool) for _ in range(3)))
        streams = [asyncio.create_task(stream_events(pool, 2)) for _ in range(3)]
        await asyncio.sleep(0.2)
        requests = []
        for _ in range(8):
            requests.append(asyncio.create_task(list_orders(pool)))
            await asyncio.sleep(0.05)
        await asyncio.gather(*requests, *streams)
    print("truth", len(failed), "failed")


asyncio.run(main())
