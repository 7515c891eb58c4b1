"""Answers must leave in the order of the requests: each waits for the one before, so one slow
report holds up all quick ones.

After https://github.com/aio-libs/aiohttp/issues/6
"""
import asyncio


async def compute(n):
    await asyncio.sleep(0.9 if n in (2, 9) else 0.01)


async def handle(n, before, mine):
    await compute(n)
    await before
    mine.set_result(None)


async def main():
    loop = asyncio.get_running_loop()
    before, tasks = loop.create_future(), []
    before.set_result(None)
    for n in range(16):
        mine = loop.create_future()
        tasks.append(asyncio.create_task(handle(n, before, mine)))
        before = mine
        await asyncio.sleep(0.08)
    await asyncio.gather(*tasks)


asyncio.run(main())
