"""A signal handler of the loop that does its work at once (add_signal_handler: "requests hang during reload").

Truth: `on_hup` reads the configuration anew with a blocking retry, 0.8 s asleep in the loop's thread; the requests wait.
"""

import asyncio
import os
import signal
import time


def on_hup():
    for _ in range(8):
        time.sleep(0.1)


async def request(late):
    begun = time.perf_counter()
    await asyncio.sleep(0.01)
    late.append(time.perf_counter() - begun - 0.01)


async def main():
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, on_hup)
    late = []
    async with asyncio.TaskGroup() as group:
        for n in range(60):
            group.create_task(request(late))
            await asyncio.sleep(0.02)
            if n == 20:
                os.kill(os.getpid(), signal.SIGHUP)
    print(f"truth: a request was late by {max(late):.2f} s")


asyncio.run(main())
