"""The synchronous redis client waits for a job on the loop (after reports of redis-py in FastAPI).
truth: `next_job` blocks the loop 3 x 0.2 s in BLPOP; `ping` is late."""
import asyncio
import os

import redis

client = redis.Redis.from_url(os.environ["REDIS_URL"])


async def next_job():
    return client.blpop("l04-jobs", timeout=0.2)


async def ping():
    for _ in range(30):
        await asyncio.sleep(0.02)


async def main():
    await asyncio.gather(*(ping() for _ in range(5)), *(next_job() for _ in range(3)))


asyncio.run(main())
