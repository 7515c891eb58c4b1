"""Each query of a dashboard has 0.3 s and is asked three times; the report needs 0.5 s and never comes to its end
(after https://github.com/MagicStack/asyncpg issues on command_timeout).
truth: all 12 calls of `monthly_report` are cut short after 0.3 s in `fetch`; 4 requests fail after 0.9 s."""
import asyncio
import os

import asyncpg

failed = 0


async def monthly_report(pool):
    return await pool.fetch("select count(*), pg_sleep(0.5) from generate_series(1, 10)", timeout=0.3)


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
