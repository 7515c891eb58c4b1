"""Two tasks update the same rows in opposite order, each in a transaction; the server ends one
(https://github.com/encode/databases/issues/324 is such a report of deadlocks that come and go).
truth: `reprice` and `restock` wait 1 s for each other's row; one gets DeadlockDetectedError."""
import asyncio
import os

import asyncpg

URL = os.environ["PG_URL"]
failed = []


async def change(first, second, mine, other):
    connection = await asyncpg.connect(URL)
    try:
        async with connection.transaction():
            await connection.execute("update item set n = n + 1 where id = $1", first)
            mine.set()
            await other.wait()
            await connection.execute("update item set n = n + 1 where id = $1", second)
    except asyncpg.DeadlockDetectedError:
        failed.append(1)
    finally:
        await connection.close()


async def reprice(a, b):
    await change(1, 2, a, b)


async def restock(a, b):
    await change(2, 1, b, a)


async def main():
    connection = await asyncpg.connect(URL)
    await connection.execute("create table item(id int primary key, n int)")
    await connection.execute("insert into item values (1, 0), (2, 0)")
    await connection.close()
    a, b = asyncio.Event(), asyncio.Event()
    await asyncio.gather(
        asyncio.create_task(reprice(a, b), name="reprice"),
        asyncio.create_task(restock(a, b), name="restock"),
    )
    print("truth", len(failed))


asyncio.run(main())
