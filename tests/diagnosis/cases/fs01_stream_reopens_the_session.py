"""After github.com/onyx-dot-app/onyx/pull/1238: a streamed answer uses a session that is closed.

Truth: the dependency closes the session before the answer is streamed; `tokens` uses it again,
which takes another connection that nobody gives back: all 3 are gone after three requests, and
the next ones run into the pool's time-out.
"""

import asyncio
import os
import tempfile

from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

sessions = []


async def tokens(session, number):
    rows = await session.execute(text("select 1 union select 2"))
    for row in rows:
        yield f"{number}:{row[0]}"
        await asyncio.sleep(0.01)


async def chat(engine, number):
    async with AsyncSession(engine) as session:
        await session.execute(text("select 1"))
    sessions.append(session)
    return tokens(session, number)


async def request(engine, number, lost):
    try:
        async for _ in await chat(engine, number):
            pass
    except PoolTimeout:
        lost.append(number)


async def main():
    lost = []
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{os.path.join(folder, 'a.db')}"
        engine = create_async_engine(
            url, poolclass=AsyncAdaptedQueuePool, pool_size=3, max_overflow=0, pool_timeout=0.6
        )
        for burst in range(3):
            jobs = (request(engine, burst * 3 + n, lost) for n in range(3))
            await asyncio.gather(*jobs)
        for session in sessions:
            await session.close()
        await engine.dispose()
    print(len(lost))


asyncio.run(main())
