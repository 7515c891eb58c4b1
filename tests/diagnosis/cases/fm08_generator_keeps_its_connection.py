"""`break` leaves an async generator inside `pool.acquire()`, and it is kept for the next page
(https://github.com/MagicStack/asyncpg/issues/5 has the nested form).

`page-0` to `page-2`, which have ended, took the three connections in `rows`; `lookup-0` to
`lookup-4` wait for one for 1.0 s each, and give up.
"""

import asyncio, os, time
import asyncpg
cursors = {}

async def rows(pool):
    async with pool.acquire() as c:
        async with c.transaction():
            async for row in c.cursor("select generate_series(1, 100) as n", prefetch=5):
                yield row["n"]

async def first_page(pool, name):
    cursors[name] = gen = rows(pool)
    page = []
    async for n in gen:
        page.append(n)
        if len(page) == 10: break
    return page

async def lookup(pool, i):
    t = time.perf_counter()
    try:
        async with pool.acquire(timeout=1.0) as c: return await c.fetchval("select 1")
    except TimeoutError: print(f"truth lookup-{i} gave up after {time.perf_counter()-t:.2f} s")

async def health():
    for _ in range(25): await asyncio.sleep(0.05)

async def main():
    pool = await asyncpg.create_pool(os.environ["PG_URL"], min_size=3, max_size=3)
    h = asyncio.create_task(health(), name="health")
    for i in range(6): await lookup(pool, i)
    for i in range(3): await asyncio.create_task(first_page(pool, i), name=f"page-{i}")
    await asyncio.gather(*(asyncio.create_task(lookup(pool, i), name=f"lookup-{i}") for i in range(5)))
    for g in cursors.values(): await g.aclose()
    await h; await pool.close()
asyncio.run(main())
