"""Two tasks share a pool of one connection to PostgreSQL."""

import asyncio
import sys

import asyncpg


async def work(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as connection:  #: await connection pool (asyncpg) slots=1
        await connection.execute("select pg_sleep(0.01)")  #: await query (asyncpg)
        await connection.fetchval("select $1::int", 1)  #: await query (asyncpg)
        statement = await connection.prepare("select 2")  #: await query (asyncpg)
        await statement.fetch()  #: await query (asyncpg)
        async with connection.transaction():  #: await query (asyncpg)
            async for _ in connection.cursor("select 3"):  #: await query (asyncpg)
                pass
            rows = [(1,)]
            await connection.execute("create temp table if not exists t (i int)")
            await connection.copy_records_to_table("t", records=rows)  #: await query (asyncpg)
            # The table is known by now; what is left to wait for is the copying.
            await connection.copy_records_to_table("t", records=rows)  #: await query (asyncpg)
            insert = "insert into t values ($1)"
            await connection.executemany(insert, rows)  #: await query (asyncpg)


async def main() -> None:
    url = sys.argv[1]
    pool = await asyncpg.create_pool(url, min_size=1, max_size=1)  #: await connect (asyncpg)
    await asyncio.gather(work(pool), work(pool))
    await pool.fetchval("select 4")  #: await query (asyncpg)
    await pool.close()
    connection = await asyncpg.connect(url)
    await connection.close()  #: await close (asyncpg)


asyncio.run(main())
