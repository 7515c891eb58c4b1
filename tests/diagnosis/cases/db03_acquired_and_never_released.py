"""Commands of a bot take a connection and return early without giving it back; after a while `acquire`
hangs (after https://github.com/aio-libs/aiomysql/issues/553).
truth: `balance` keeps its connection when the user is unknown (4 times, pool of 4); later calls wait in
`pool.acquire` until their time-out of 0.7 s, to the end."""
import asyncio
import os

import asyncpg

timed_out = 0


async def balance(pool, user):
    connection = await pool.acquire()
    row = await connection.fetchrow("select $1::int as money where $1::int < 100", user)
    if row is None:
        return 0
    await pool.release(connection)
    return row["money"]


async def command(pool, user):
    global timed_out
    try:
        async with asyncio.timeout(0.7):
            await balance(pool, user)
    except TimeoutError:
        timed_out += 1


async def main():
    pool = await asyncpg.create_pool(os.environ["PG_URL"], min_size=1, max_size=4)
    for n in range(40):
        await command(pool, 1000 if n % 10 == 9 else n)
        await asyncio.sleep(0.005)
    for _ in range(3):
        await asyncio.gather(*(command(pool, n) for n in range(3)))
    print("truth timed out", timed_out)
    pool.terminate()


asyncio.run(main())
