"""`single_connection_client=True`: a blocking command of one task holds up the commands of all
others (https://github.com/redis/redis-py/issues/2579 is of a client shared between tasks).
truth: `worker` waits in BLPOP 0.5 s at a time on the only connection; 4 `session` wait behind it."""
import asyncio
import os

from redis.asyncio import Redis


async def worker(client):
    for _ in range(4):
        await client.blpop("jobs", timeout=0.5)


async def session(client, n):
    for _ in range(4):
        await client.set(f"s:{n}", "x")
        await asyncio.sleep(0.05)


async def main():
    client = Redis.from_url(os.environ["REDIS_URL"], single_connection_client=True)
    await client.ping()
    await asyncio.gather(worker(client), *(session(client, n) for n in range(4)))
    await client.aclose()


asyncio.run(main())
