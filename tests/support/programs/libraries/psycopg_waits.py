"""Tasks, then a thread, share a pool of one connection to PostgreSQL."""

import asyncio
import contextlib
import sys

from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolTimeout

URL = sys.argv[1]


async def work(pool: AsyncConnectionPool) -> None:
    async with pool.connection() as db:  #: await connection pool (psycopg_pool) slots=1
        await db.execute("select pg_sleep(0.01)")  #: await query (psycopg)


async def main() -> None:
    async with AsyncConnectionPool(URL, min_size=1, max_size=1, open=False) as pool:
        await asyncio.gather(work(pool), work(pool))


def job(pool: ConnectionPool) -> None:
    with pool.connection(), contextlib.suppress(PoolTimeout):
        pool.getconn(0.01)  #: lock wait: connection pool (psycopg_pool) slots=1


#: anywhere await connect (psycopg)
asyncio.run(main())
with ConnectionPool(URL, min_size=1, max_size=1) as pool:
    job(pool)
