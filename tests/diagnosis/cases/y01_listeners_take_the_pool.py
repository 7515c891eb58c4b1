"""Two listeners take their connections from the pool of the requests and keep them for ever
(https://github.com/MagicStack/asyncpg/issues/190).
truth: both connections are with `listen`, which awaits an Event; `balance` waits 0.5 s for one, 4 times, in
vain."""
import asyncio
import os

import asyncpg

news = []


async def listen(pool, channel):
    async with pool.acquire() as db:
        await db.add_listener(channel, lambda *event: news.append(event))
        await asyncio.Event().wait()


async def balance(pool):
    try:
        async with pool.acquire(timeout=0.5) as db:
            return await db.fetchval("select 1")
    except TimeoutError:
        return None


async def main():
    async with asyncpg.create_pool(os.environ["PG_URL"], min_size=2, max_size=2) as pool:
        listeners = [asyncio.create_task(listen(pool, name)) for name in ("orders", "users")]
        await asyncio.sleep(0.2)
        for _ in range(2):
            requests = [asyncio.create_task(balance(pool)) for _ in range(2)]
            print("truth", await asyncio.gather(*requests))
        for listener in listeners:
            listener.cancel()
        await asyncio.gather(*listeners, return_exceptions=True)


asyncio.run(main())
