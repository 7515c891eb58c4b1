"""Tasks update rows of a table that another program locks (asyncpg).
truth: 6 `shop` stand in `update_stock` for 1.3 s, and all go on at the same moment."""
import asyncio
import glob
import os
import shutil

import asyncpg

URL = os.environ["PG_URL"]
PSQL = shutil.which("psql") or glob.glob("/usr/lib/postgresql/*/bin/psql")[-1]


async def update_stock(connection, n):
    await connection.execute("update stock set left_over = left_over - 1 where id = $1", n)


async def shop(n):
    connection = await asyncpg.connect(URL)
    for k in range(45):
        await update_stock(connection, n + 1)
        await asyncio.sleep(0.03)
    await connection.close()


async def main():
    connection = await asyncpg.connect(URL)
    await connection.execute("create table stock(id int primary key, left_over int)")
    await connection.execute("insert into stock select n, 1000 from generate_series(1, 10) n")
    await connection.close()
    shops = [asyncio.create_task(shop(n)) for n in range(6)]
    await asyncio.sleep(0.5)
    sql = "begin; lock table stock in exclusive mode; select pg_sleep(1.3); commit;"
    child = await asyncio.create_subprocess_exec(PSQL, URL, "-qc", sql, stdout=asyncio.subprocess.DEVNULL)
    await child.wait()
    await asyncio.gather(*shops)


asyncio.run(main())
