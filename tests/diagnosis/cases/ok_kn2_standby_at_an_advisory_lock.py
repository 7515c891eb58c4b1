"""Healthy: one of three leads while it has an advisory lock; the others stand by in the database for it
(https://www.postgresql.org/docs/current/explicit-locking.html, advisory locks)."""
import asyncio
import os

import psycopg

URL = os.environ["PG_URL"]


async def beat(connection, name):
    for _ in range(30):
        await connection.execute("select 1")
        await asyncio.sleep(0.06)


async def replica(name):
    async with await psycopg.AsyncConnection.connect(URL, autocommit=True) as connection:
        await connection.execute("select pg_advisory_lock(4711)")
        await beat(connection, name)


async def main():
    replicas = [asyncio.create_task(replica(f"r{n}"), name=f"replica-{n}") for n in range(3)]
    await asyncio.wait(replicas, timeout=1.7)
    for one in replicas:
        one.cancel()
    await asyncio.gather(*replicas, return_exceptions=True)


asyncio.run(main())
