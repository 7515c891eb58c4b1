"""Connections live in a tornado queue; the error path forgets to put one back
(https://github.com/tornadoweb/tornado/issues/1869).
wanted: both connections were taken by `handle` (failed ones) and never put back; 6 waited and timed out after 1 s"""
import asyncio, datetime
from tornado import gen, ioloop, queues


async def handle(pool, n):
    conn = await pool.get(timeout=datetime.timedelta(seconds=1.0))
    await gen.sleep(0.05)
    if n in (1, 3):
        raise ValueError("bad record")
    pool.put_nowait(conn)
    return n


async def main():
    pool = queues.Queue()
    for c in "ab": pool.put_nowait(c)
    out = await asyncio.gather(*(handle(pool, n) for n in range(10)), return_exceptions=True)
    print("truth", [type(o).__name__ for o in out])

ioloop.IOLoop.current().run_sync(main)
