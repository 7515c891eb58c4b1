"""Healthy: three phases of a load test, each with workers that go round until its time is up."""

import asyncio


async def page():
    await asyncio.sleep(0.02)


async def worker():
    while True:
        await page()


async def phase(workers):
    try:
        async with asyncio.timeout(0.5), asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(worker())
    except TimeoutError:
        pass


async def main():
    for workers in (2, 4, 8):
        await phase(workers)


asyncio.run(main())
