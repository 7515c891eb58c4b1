"""Tasks that wait for a key's lock keep a connection while they look again and again; the owner of the lock needs one to
release it (after https://github.com/Krukov/cashews/issues/127).
truth: 4 `is_locked` have all 4 connections and poll; `unlock` of the owner waits for one until its time-out of 1.5 s.
wanted: `unlock` (line 28) waited 1.5 s for a connection; all 4 are with `is_locked` (line 20), which waits for what it does."""

import asyncio


class Redis:
    def __init__(self, size):
        self.free = asyncio.Queue()
        for n in range(size):
            self.free.put_nowait(n)
        self.keys = set()

    async def is_locked(self, key):
        conn = await self.free.get()
        try:
            while key in self.keys:
                await asyncio.sleep(0.05)
        finally:
            self.free.put_nowait(conn)

    async def lock(self, key):
        self.keys.add(key)

    async def unlock(self, key):
        conn = await self.free.get()
        await asyncio.sleep(0.002)
        self.keys.discard(key)
        self.free.put_nowait(conn)


async def load(redis, user):
    await redis.lock(user)
    await asyncio.sleep(0.1)
    try:
        await asyncio.wait_for(redis.unlock(user), 1.5)
    except TimeoutError:
        redis.keys.discard(user)  # the lock expires


async def foo(redis, user):
    if user in redis.keys:
        await redis.is_locked(user)
    else:
        await load(redis, user)


async def main():
    redis = Redis(4)
    await asyncio.gather(*(foo(redis, "u5884") for _ in range(12)))


asyncio.run(main())
