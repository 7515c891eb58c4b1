"""Healthy: as bb05, but the client has a pool, and BLPOP a connection of its own."""
import asyncio
import os

from redis.asyncio import Redis


async def worker(client):
    for _ in range(4):
        await client.blpop("jobs", timeout=0.5)


async def session(client, n):
    for _ in range(20):
        await client.set(f"s:{n}", "x")
        await asyncio.sleep(0.05)


async def main():
    client = Redis.from_url(os.environ["REDIS_URL"])
    await asyncio.gather(worker(client), *(session(client, n) for n in range(4)))
    await client.aclose()


asyncio.run(main())
