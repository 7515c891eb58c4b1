"""A redis client for each command (asked often: "redis.asyncio slow, too many connections").

Truth: 400 visits, each with a client of its own: most of each is the connect.
"""
import asyncio
import os
import time

import redis.asyncio as redis

URL = os.environ["REDIS_URL"]


async def visit(number):
    client = redis.from_url(URL)
    try:
        await client.incr(f"page:{number % 10}")
    finally:
        await client.aclose()


async def main():
    begun = time.perf_counter()
    for number in range(400):
        await visit(number)
    each = time.perf_counter() - begun
    client = redis.from_url(URL)
    begun = time.perf_counter()
    for number in range(400):
        await client.incr(f"page:{number % 10}")
    print(f"truth: {each:.2f} s with a client each, {time.perf_counter() - begun:.2f} s with one")
    await client.aclose()


asyncio.run(main())
