"""All tasks share one `AsyncConnection`: `gather` does not run its queries at the same time
(https://github.com/psycopg/psycopg/discussions/264 asks why).
truth: 8 `widget` wait for psycopg's lock of the one connection; each query takes 0.1 s."""
import asyncio
import os

import psycopg


async def widget(connection, n):
    cursor = await connection.execute("select pg_sleep(0.1), %s", (n,))
    return await cursor.fetchone()


async def main():
    connection = await psycopg.AsyncConnection.connect(os.environ["PG_URL"], autocommit=True)
    for _ in range(2):
        await asyncio.gather(*(widget(connection, n) for n in range(8)))
    await connection.close()


asyncio.run(main())
