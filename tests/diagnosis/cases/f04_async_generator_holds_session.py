"""A streaming endpoint keeps its database connection while it waits for a slow client
(https://github.com/fastapi/fastapi/issues/11107).
truth: 2 connections of SQLAlchemy's async pool are kept 0.5 s in `stream`; `quick` waits for one."""
import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

engine = create_async_engine(
    "sqlite+aiosqlite://", pool_size=2, max_overflow=0, poolclass=AsyncAdaptedQueuePool
)


async def stream():
    async with engine.connect() as connection:
        rows = (await connection.execute(text("select 1"))).all()
        await asyncio.sleep(0.5)  # the client reads slowly
        return rows


async def quick():
    async with engine.connect() as connection:
        return (await connection.execute(text("select 2"))).all()


async def main():
    tasks = [asyncio.create_task(stream(), name=f"stream-{n}") for n in range(4)]
    await asyncio.sleep(0.05)
    tasks += [asyncio.create_task(quick(), name=f"quick-{n}") for n in range(4)]
    await asyncio.gather(*tasks)
    await engine.dispose()


asyncio.run(main())
