"""HEALTHY: uvloop, a redis stream consumer group (XREADGROUP block), 8 producers, hashing of each message (1 ms), stats twice a second."""
import asyncio
import hashlib
import os

import redis.asyncio as redis
import uvloop

URL = os.environ["REDIS_URL"]
DONE = []


async def producer(client, n):
    for k in range(40):
        await client.xadd("orders", {"n": n, "k": k, "text": "x" * 500})
        await asyncio.sleep(0.03)


async def consumer(client, name):
    while True:
        found = await client.xreadgroup("g", name, {"orders": ">"}, count=10, block=500)
        for _, messages in found:
            for number, fields in messages:
                digest = fields[b"text"]
                for _ in range(300):
                    digest = hashlib.sha256(digest).digest()
                DONE.append(digest)
                await client.xack("orders", "g", number)


async def stats(client):
    while True:
        await asyncio.sleep(0.5)
        await client.set("stats", len(DONE))


async def main():
    client = redis.Redis.from_url(URL)
    await client.xgroup_create("orders", "g", mkstream=True)
    others = [asyncio.create_task(consumer(client, f"c{n}")) for n in range(3)]
    others.append(asyncio.create_task(stats(client)))
    await asyncio.gather(*(producer(client, n) for n in range(8)))
    while len(DONE) < 320:
        await asyncio.sleep(0.05)
    for one in others:
        one.cancel()
    await client.aclose()


uvloop.run(main())
