"""A pipeline that watches keeps its connection while the price is asked elsewhere
(https://github.com/redis/redis-py/issues/4121 is of such pipelines in a pool that blocks).
truth: both connections are with `reserve`, which awaits `ask_price` for 80 ms; 9 others wait."""
import asyncio
import os

from redis import asyncio as aioredis

pool = aioredis.BlockingConnectionPool.from_url(os.environ["REDIS_URL"], max_connections=2, timeout=10)
client = aioredis.Redis(connection_pool=pool)


async def ask_price(article):
    await asyncio.sleep(0.08)
    return 5 + article


async def reserve(article):
    key = f"stock:{article}"
    async with client.pipeline() as pipe:
        await pipe.watch(key)
        price = await ask_price(article)
        pipe.multi()
        pipe.set(key, price)
        await pipe.execute()


async def main():
    await asyncio.gather(*(reserve(article) for article in range(11)))
    await client.aclose()


asyncio.run(main())
