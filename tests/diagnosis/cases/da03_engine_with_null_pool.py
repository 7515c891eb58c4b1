"""After github.com/BSC-ES/autosubmit/issues/2973: the engine keeps no connections (NullPool). Needs sqlalchemy, asyncpg
and PostgreSQL (PG_URL).

Truth: each of 240 requests connects and logs in anew, which takes much longer than its query of a millisecond; with a
pool each connection would be used again.
"""

import asyncio
import os
import time

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

URL = os.environ["PG_URL"].replace("postgresql://", "postgresql+asyncpg://")


class Catalogue:
    def __init__(self):
        self.engine = create_async_engine(URL, poolclass=NullPool)

    async def price(self, item):
        async with self.engine.connect() as connection:
            rows = await connection.execute(sa.text("select cast(:i as int) * 2"), {"i": item})
            return rows.scalar()


async def client(catalogue, number, times):
    for n in range(60):
        began = time.monotonic()
        await catalogue.price(number * 100 + n)
        times.append(time.monotonic() - began)
        await asyncio.sleep(0.01)


async def main():
    catalogue = Catalogue()
    times = []
    await asyncio.gather(*(client(catalogue, number, times) for number in range(4)))
    print("truth", len(times), "requests, median", round(sorted(times)[len(times) // 2] * 1e3, 1), "ms")


asyncio.run(main())
