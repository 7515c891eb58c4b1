"""Synchronous psycopg in a coroutine.
truth: `totals` blocks the loop 3 x 0.15 s in a query; `ping` is late."""
import asyncio
import os

import psycopg


async def totals(connection):
    return connection.execute("select pg_sleep(0.15)").fetchone()


async def ping():
    for _ in range(20):
        await asyncio.sleep(0.02)


async def main():
    with psycopg.connect(os.environ["PG_URL"]) as connection:
        await asyncio.gather(*(ping() for _ in range(6)), *(totals(connection) for _ in range(3)))


asyncio.run(main())
