"""A worker keeps a connection of redis's blocking pool for the whole job, to hold a subscription
(https://github.com/redis/redis-py/issues/3056 is of a pool that blocks).
truth: 3 connections are with `follow`, which listens; `get_setting` waits in vain, 1 s each."""
import asyncio
import os

from redis import asyncio as aioredis
from redis.exceptions import RedisError

pool = aioredis.BlockingConnectionPool.from_url(os.environ["REDIS_URL"], max_connections=3, timeout=1)
client = aioredis.Redis(connection_pool=pool)


async def follow(channel):
    async with client.pubsub() as pubsub:
        await pubsub.subscribe(channel)
        async for message in pubsub.listen():
            pass


async def get_setting(name):
    try:
        return await client.get(name)
    except RedisError:
        return "no connection"


async def main():
    followers = [asyncio.create_task(follow(f"news-{n}")) for n in range(3)]
    await asyncio.sleep(0.1)
    print("truth", await asyncio.gather(*(get_setting(f"s{n}") for n in range(4))))
    for one in followers:
        one.cancel()


asyncio.run(main())
