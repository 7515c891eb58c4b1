"""The loop is over, a thread of its executor is not (https://github.com/python/cpython/issues/111358).

Truth: `main` is over after 0.3 s; `asyncio.run` waits for the executor, in which `poll_sensor`
sleeps until 1.8 s: nobody told it to stop.
"""

import asyncio
import time


def poll_sensor(until):
    while time.monotonic() < until:
        time.sleep(0.1)


async def main():
    loop = asyncio.get_running_loop()
    loop.run_in_executor(None, poll_sensor, time.monotonic() + 1.8)
    await asyncio.sleep(0.3)


begun = time.perf_counter()
asyncio.run(main())
print(f"truth: {time.perf_counter() - begun:.2f} s for a main of 0.3 s")
