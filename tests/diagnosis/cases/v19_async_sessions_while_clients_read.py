"""Streams of an export keep an asynchronous SQLAlchemy session open while a slow client reads
(https://github.com/gpustack/gpustack/issues/1327).
truth: 2 `export` have both connections, asleep in `send_to_client`; `list_models` waits 1 s and fails."""
import asyncio

from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

engine = create_async_engine(
    "sqlite+aiosqlite://", poolclass=AsyncAdaptedQueuePool, pool_size=2, max_overflow=0, pool_timeout=1
)
failed = []


async def list_models():
    try:
        async with engine.connect() as connection:
            await connection.execute(text("select 1"))
    except PoolTimeout:
        failed.append(1)


async def send_to_client(chunk):
    await asyncio.sleep(0.3)


async def export():
    async with engine.connect() as connection:
        for n in range(8):
            rows = await connection.execute(text("select :n"), {"n": n})
            await send_to_client(rows.fetchall())


async def main():
    for _ in range(15):
        await list_models()
        await asyncio.sleep(0.01)
    exports = [asyncio.create_task(export()) for _ in range(2)]
    await asyncio.sleep(0.1)
    requests = []
    for _ in range(6):
        requests.append(asyncio.create_task(list_models()))
        await asyncio.sleep(0.05)
    await asyncio.gather(*requests, *exports)
    await engine.dispose()
    print("truth", len(failed), "failed")


asyncio.run(main())
