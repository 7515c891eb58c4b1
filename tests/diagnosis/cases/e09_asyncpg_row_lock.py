"""Tasks wait for a row whose transaction awaits something slow (after "idle in transaction"
reports: https://github.com/un-fao/GeoID/issues/2343).
truth: 4 `pay` wait up to 0.9 s for the row that `settle` locked while it awaits `notify_bank`."""
import asyncio
import os

import asyncpg

URL = os.environ["PG_URL"]


async def notify_bank():
    await asyncio.sleep(0.9)


async def settle(locked):
    connection = await asyncpg.connect(URL)
    async with connection.transaction():
        await connection.execute("update account set balance = 1 where id = 1")
        locked.set()
        await notify_bank()
    await connection.close()


async def pay():
    connection = await asyncpg.connect(URL)
    await connection.execute("update account set balance = balance + 1 where id = 1")
    await connection.close()


async def main():
    connection = await asyncpg.connect(URL)
    await connection.execute("create table account(id int primary key, balance int)")
    await connection.execute("insert into account values (1, 0)")
    await connection.close()
    locked = asyncio.Event()
    slow = asyncio.create_task(settle(locked), name="settle")
    await locked.wait()
    await asyncio.gather(slow, *(pay() for _ in range(4)))


asyncio.run(main())
