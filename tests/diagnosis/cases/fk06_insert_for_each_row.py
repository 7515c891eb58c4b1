"""psycopg's AsyncConnection with an INSERT for each row (asyncpg#346, psycopg "slow inserts").

Truth: `save_all` awaits 6,000 inserts one after the other; executemany takes a fraction.
"""
import asyncio
import os
import time

import psycopg


async def save_all(connection, rows):
    for row in rows:
        await connection.execute("insert into tick (price) values (%s)", (row,))
    await connection.commit()


async def main():
    async with await psycopg.AsyncConnection.connect(os.environ["PG_URL"]) as connection:
        await connection.execute("create temporary table tick (price float)")
        begun = time.perf_counter()
        await save_all(connection, [n / 7 for n in range(6000)])
        print(f"truth: {time.perf_counter() - begun:.2f} s for 6,000 rows")


asyncio.run(main())
