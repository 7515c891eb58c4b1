"""One query per row, one after the other (the N + 1 queries of each ORM), on one connection each
(after https://github.com/encode/databases/issues and many others).
truth: `show_orders` awaits `load_customer` 60 times in turn, 10 ms each; one query would do."""
import asyncio
import os

import asyncpg


class Repository:
    def __init__(self, connection):
        self.connection = connection

    async def orders(self):
        return await self.connection.fetch("select generate_series(1, 60) as customer")

    async def load_customer(self, number):
        return await self.connection.fetchrow("select $1::int as id, pg_sleep(0.009)", number)


async def show_orders(repository):
    lines = []
    for order in await repository.orders():
        customer = await repository.load_customer(order["customer"])
        lines.append(f"{customer['id']}")
    return lines


async def main():
    connection = await asyncpg.connect(os.environ["PG_URL"])
    print("truth", len(await show_orders(Repository(connection))), "customers, one after the other")
    await connection.close()


asyncio.run(main())
