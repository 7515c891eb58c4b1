"""After github.com/MagicStack/asyncpg/issues/1068 and many: serializable transactions on one hot row fail and are tried again.
Needs asyncpg and PostgreSQL (PG_URL).

Truth: 8 tasks add to one account in SERIALIZABLE transactions; most attempts of `add` fail with SerializationError and
are made again at once, so that 80 additions need some hundreds of attempts.
"""

import asyncio
import os

import asyncpg


class Ledger:
    def __init__(self, pool):
        self.pool, self.failed = pool, 0

    async def add(self, amount):
        async with self.pool.acquire() as connection:
            async with connection.transaction(isolation="serializable"):
                balance = await connection.fetchval("select balance from de05 where id = 1")
                await asyncio.sleep(0.01)  # check limits
                await connection.execute(
                    "update de05 set balance = $1 where id = 1", balance + amount
                )

    async def add_surely(self, amount):
        while True:
            try:
                return await self.add(amount)
            except asyncpg.SerializationError:
                self.failed += 1


async def customer(ledger):
    for _ in range(10):
        await ledger.add_surely(1)


async def main():
    async with asyncpg.create_pool(os.environ["PG_URL"], min_size=8, max_size=8) as pool:
        await pool.execute("drop table if exists de05")
        await pool.execute("create table de05 (id int primary key, balance int)")
        await pool.execute("insert into de05 values (1, 0)")
        ledger = Ledger(pool)
        await asyncio.gather(*(customer(ledger) for _ in range(8)))
        balance = await pool.fetchval("select balance from de05")
    print("truth balance", balance, "failed", ledger.failed)


asyncio.run(main())
