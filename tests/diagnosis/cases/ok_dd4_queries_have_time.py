"""HEALTHY: each query of a dashboard has time enough; one in four takes the longest."""
import asyncio
import os

import asyncpg

failed = 0


async def monthly_report(pool):
    return await pool.fetch("select count(*), pg_sleep(0.5) from generate_series(1, 10)", timeout=1.5)


async def dashboard(pool):
    global failed
    for _ in range(3):
        try:
            return await monthly_report(pool)
        except TimeoutError:
            pass
    failed += 1


async def main():
    async with asyncpg.create_pool(os.environ["PG_URL"], min_size=4, max_size=4) as pool:
        for _ in range(2):
            await asyncio.gather(dashboard(pool), dashboard(pool))
    print("truth failed", failed)


asyncio.run(main())
