"""gather of coroutines that only compute ("asyncio.gather is not faster").

Truth: 5 simulations of about 0.25 s run one after the other in the loop; `progress` is not shown meanwhile.
"""

import asyncio
import time


async def simulate(seed):
    x = seed
    for _ in range(1_600_000):
        x = (x * 1103515245 + 12345) % 2147483648
    return x


async def progress(late):
    while True:
        begun = time.perf_counter()
        await asyncio.sleep(0.05)
        late.append(time.perf_counter() - begun - 0.05)


async def main():
    late = []
    task = asyncio.create_task(progress(late))
    await asyncio.sleep(0.1)
    begun = time.perf_counter()
    await asyncio.gather(*(simulate(n) for n in range(5)))
    took = time.perf_counter() - begun
    await asyncio.sleep(0.1)
    task.cancel()
    print(f"truth: {took:.2f} s; progress late by up to {max(late):.2f} s")


asyncio.run(main())
