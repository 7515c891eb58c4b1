"""redis.asyncio, a GET per key (redis-py: "async client slow compared to pipeline").

Truth: `load_profiles` awaits 8,000 GETs in turn on one connection; one MGET takes some ms.
"""

import asyncio
import os
import time

import redis.asyncio as redis


async def load_profiles(client, ids):
    profiles = {}
    for one in ids:
        profiles[one] = await client.get(f"profile:{one}")
    return profiles


async def main():
    client = redis.from_url(os.environ["REDIS_URL"])
    await client.mset({f"profile:{n}": "x" * 200 for n in range(8000)})
    begun = time.perf_counter()
    await load_profiles(client, range(8000))
    one_by_one = time.perf_counter() - begun
    begun = time.perf_counter()
    await client.mget([f"profile:{n}" for n in range(8000)])
    print(f"truth: {one_by_one:.2f} s one by one, {time.perf_counter() - begun:.3f} s with mget")
    await client.aclose()


asyncio.run(main())
