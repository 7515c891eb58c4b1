"""An error is swallowed between the begin of a transaction and its commit; the connection keeps
the row locked (https://github.com/canonical/test_observer/pull/571).
truth: 3 `pay` wait 1.2 s for the row; `refund` neither committed nor rolled back."""
import asyncio
import os

import asyncpg

URL = os.environ["PG_URL"]


async def refund(connection):
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute("update purse set coins = coins - 1 where id = 1")
        raise ValueError("no receipt")
    except ValueError:
        pass


async def pay():
    connection = await asyncpg.connect(URL)
    await connection.execute("update purse set coins = coins + 1 where id = 1")
    await connection.close()


async def main():
    connection = await asyncpg.connect(URL)
    await connection.execute("create table purse(id int primary key, coins int)")
    await connection.execute("insert into purse values (1, 0)")
    await refund(connection)
    waiting = [asyncio.create_task(pay(), name=f"pay-{n}") for n in range(3)]
    await asyncio.sleep(1.2)
    await connection.close()
    await asyncio.gather(*waiting)


asyncio.run(main())
