"""Awaits that are ready at once never let the loop go on
(https://github.com/python/cpython/issues/85865).
truth: `fill` awaits put of an unbounded queue 1,000,000 times in one step; `heartbeat` is late."""
import asyncio


async def fill(queue):
    for n in range(1_000_000):
        await queue.put(n)


async def heartbeat():
    while True:
        await asyncio.sleep(0.02)


async def main():
    beats = [asyncio.create_task(heartbeat()) for _ in range(3)]
    await asyncio.sleep(0.1)
    await asyncio.create_task(fill(asyncio.Queue()), name="fill")
    await asyncio.sleep(0.1)
    for beat in beats:
        beat.cancel()


asyncio.run(main())
