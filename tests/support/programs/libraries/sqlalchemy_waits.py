"""A thread, then tasks, share an engine's pool of one connection."""

import asyncio
import contextlib
import sys

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import TimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import QueuePool

URL = sys.argv[1].replace("postgresql://", "postgresql+asyncpg://")
POOL = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 0.01}
sync = create_engine("sqlite://", poolclass=QueuePool, **POOL)


def job() -> None:
    with sync.connect(), contextlib.suppress(TimeoutError):
        sync.connect()  #: lock wait: connection pool (sqlalchemy) slots=1


def insert(connection: Connection) -> None:
    connection.execute(text("select pg_sleep(0.01)"))  #: await query (asyncpg)


async def work(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:  #: await connection pool (sqlalchemy) slots=2
        await connection.execute(text("select 1"))  #: await query (asyncpg)
        await connection.run_sync(insert)


async def main() -> None:
    engine = create_async_engine(URL, pool_size=1, max_overflow=1)
    await asyncio.gather(work(engine), work(engine), work(engine))
    await engine.dispose()


job()
asyncio.run(main())
