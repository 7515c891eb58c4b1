"""A pool of connections made of a channel of trio: slow work is done with one
(https://github.com/python-trio/trio/issues/1626).
truth: pool of 2 connections (memory channel) exhausted; `export` keeps each 150 ms asleep in
upload; 8 requests waited."""
import trio


class Connection:
    def __init__(self, number): self.number = number
    async def query(self): await trio.sleep(0.002); return [1, 2, 3]


class Pool:
    def __init__(self, size):
        self._put, self._get = trio.open_memory_channel(size)
        for i in range(size): self._put.send_nowait(Connection(i))
    async def acquire(self): return await self._get.receive()
    def release(self, c): self._put.send_nowait(c)


async def upload(rows): await trio.sleep(0.15)


async def export(pool):
    c = await pool.acquire()
    try:
        rows = await c.query()
        await upload(rows)
    finally:
        pool.release(c)


async def main():
    pool = Pool(2)
    async with trio.open_nursery() as n:
        for _ in range(10): n.start_soon(export, pool)
trio.run(main)
