"""Connections are not returned to SQLAlchemy's pool when a task is cancelled
(https://github.com/sqlalchemy/sqlalchemy/issues/6652).
truth: 3 connections, taken by `report`, which was cancelled; 4 `lookup` wait 0.8 s each and fail."""
import asyncio

from sqlalchemy import AsyncAdaptedQueuePool, text
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

engine = create_async_engine(
    "sqlite+aiosqlite:///file:fg05?mode=memory&cache=shared&uri=true",
    poolclass=AsyncAdaptedQueuePool,
    pool_size=3,
    max_overflow=0,
    pool_timeout=0.8,
)
open_sessions = []


async def report(number):
    session = AsyncSession(engine)
    open_sessions.append(session)
    await session.execute(text("select 1"))
    await asyncio.sleep(5)  # writes the report
    await session.close()


async def lookup(number):
    async with AsyncSession(engine) as session:
        return (await session.execute(text("select :n"), {"n": number})).scalar()


async def main():
    for number in range(3):
        try:
            await asyncio.wait_for(report(number), 0.2)
        except TimeoutError:
            pass
    results = await asyncio.gather(*(lookup(n) for n in range(4)), return_exceptions=True)
    print("truth", sum(isinstance(one, PoolTimeout) for one in results), "failed")
    for session in open_sessions:
        await session.close()
    await engine.dispose()


asyncio.run(main())
