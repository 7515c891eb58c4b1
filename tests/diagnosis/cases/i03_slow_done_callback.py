"""A done callback that blocks (https://docs.python.org/3/library/asyncio-dev.html).
truth: `save_result` runs on the loop and sleeps 60 ms, 6 times; 10 tasks are late."""
import asyncio
import time


def save_result(task):
    time.sleep(0.06)


async def job(number):
    await asyncio.sleep(0.01 * number)


async def tick():
    for _ in range(25):
        await asyncio.sleep(0.01)


async def main():
    tasks = [asyncio.create_task(job(n)) for n in range(6)]
    for task in tasks:
        task.add_done_callback(save_result)
    await asyncio.gather(*tasks, *(tick() for _ in range(10)))


asyncio.run(main())
