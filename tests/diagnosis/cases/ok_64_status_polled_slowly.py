"""Healthy: clients ask for the state of their job with a pause that grows."""
import asyncio

STATES = {}


async def wait_for_job(number):
    pause = 0.05
    while STATES.get(number) != "done":
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.3)


async def run_job(number):
    STATES[number] = "running"
    await asyncio.sleep(0.3 + number / 10)
    STATES[number] = "done"


async def main():
    async with asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(run_job(number))
            group.create_task(wait_for_job(number))


asyncio.run(main())
