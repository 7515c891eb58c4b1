"""CLEAN: a service gives equal jobs to a pool of processes with a worker for each."""
import asyncio
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor


def render():
    time.sleep(0.1)


async def main():
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("fork")) as pool:
        for _ in range(4):
            await asyncio.gather(*(loop.run_in_executor(pool, render) for _ in range(3)))


if __name__ == "__main__":
    asyncio.run(main())
