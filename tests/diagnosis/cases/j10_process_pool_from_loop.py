"""A pool of one process is shared by quick and slow jobs of a service
(after reports of `run_in_executor` with a `ProcessPoolExecutor`).
truth: `render` has the only worker for 0.3 s, 3 times; `thumbnail` of 1 ms waits up to 0.9 s."""
import asyncio
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor


def render():
    time.sleep(0.3)


def thumbnail():
    return 1


async def call(pool, function):
    return await asyncio.get_running_loop().run_in_executor(pool, function)


async def main():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
        slow = [asyncio.create_task(call(pool, render)) for _ in range(3)]
        await asyncio.sleep(0.02)
        await asyncio.gather(*slow, *(call(pool, thumbnail) for _ in range(3)))


if __name__ == "__main__":
    asyncio.run(main())
