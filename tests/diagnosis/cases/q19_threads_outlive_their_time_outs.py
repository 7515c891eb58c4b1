"""`wait_for` gives up on calls in threads, which go on and keep their workers
(https://github.com/python/cpython/issues/87185 asks why they cannot be cancelled).
truth: 4 workers are in `read_meter` for 0.9 s each though all callers gave up after 0.2 s; others never began."""
import asyncio
import time
from concurrent.futures import ThreadPoolExecutor


def read_meter(number):
    time.sleep(0.9)
    return number


async def sample(pool, number):
    loop = asyncio.get_running_loop()
    try:
        return await asyncio.wait_for(loop.run_in_executor(pool, read_meter, number), 0.2)
    except TimeoutError:
        return None


async def main():
    with ThreadPoolExecutor(4, thread_name_prefix="meter") as pool:
        values = []
        for _ in range(5):
            values += await asyncio.gather(*(sample(pool, n) for n in range(4)))
            await asyncio.sleep(0.05)
        print("truth", values.count(None), "of", len(values), "timed out")


asyncio.run(main())
