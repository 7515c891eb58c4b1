"""Healthy: who waits for the lock takes a connection only to look."""

import asyncio


class Redis:
    def __init__(self, size):
        self.free = asyncio.Queue()
        for n in range(size):
            self.free.put_nowait(n)
        self.keys = set()

    async def call(self, work):
        conn = await self.free.get()
        try:
            await asyncio.sleep(0.002)
            return work()
        finally:
            self.free.put_nowait(conn)


async def foo(redis, user):
    if user in redis.keys:
        while await redis.call(lambda: user in redis.keys):
            await asyncio.sleep(0.05)
    else:
        redis.keys.add(user)
        await asyncio.sleep(0.1)
        await redis.call(lambda: redis.keys.discard(user))


async def main():
    redis = Redis(8)
    for n in range(10):
        await asyncio.gather(*(foo(redis, n) for _ in range(4)))


asyncio.run(main())
