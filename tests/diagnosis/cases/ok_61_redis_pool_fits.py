"""Healthy: eight tasks use redis for a moment each, with connections for all."""
import asyncio
import os

from redis import asyncio as aioredis


async def visit(client, number):
    for n in range(10):
        async with client.pipeline() as pipe:
            pipe.incr(f"visits:{number}")
            pipe.expire(f"visits:{number}", 60)
            await pipe.execute()
        await asyncio.sleep(0.05 + 0.001 * n)


async def main():
    pool = aioredis.BlockingConnectionPool.from_url(os.environ["REDIS_URL"], max_connections=8)
    client = aioredis.Redis(connection_pool=pool)
    await asyncio.gather(*(visit(client, number) for number in range(8)))
    await client.aclose()


asyncio.run(main())
