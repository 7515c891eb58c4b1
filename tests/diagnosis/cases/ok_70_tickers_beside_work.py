"""Healthy: work in steps of a few milliseconds beside tickers and a slow clock."""
import asyncio
import time


async def tick(pause):
    while True:
        await asyncio.sleep(pause)


async def work(pieces):
    for _ in range(pieces):
        end = time.thread_time() + 0.005
        while time.thread_time() < end:
            pass
        await asyncio.sleep(0.01)


async def main():
    ticks = [asyncio.create_task(tick(pause)) for pause in (0.02, 0.05, 0.1, 0.3)]
    await work(60)
    for one in ticks:
        one.cancel()


asyncio.run(main())
