"""A crawler limits pages and, within a page, calls by one semaphore (banteg/multicall.py#93).

`page-3` to `page-5` have its three permits, taken in `multicall`, and wait for one more each in
`call`, for 1.2 s; `page-6` waits for its first one behind them. `progress` runs on meanwhile.
"""

import asyncio, time
import uvloop

gate = asyncio.Semaphore(3)

async def call(n):
    async with gate:
        await asyncio.sleep(0.01)
    return n

async def multicall(i):
    async with gate:
        await asyncio.sleep(0.02)
        return [await call(n) for n in range(3)]

async def page(i):
    t = time.perf_counter()
    try:
        async with asyncio.timeout(1.2): await multicall(i)
    except TimeoutError: print(f"truth page-{i} timed out after {time.perf_counter()-t:.2f} s")

async def progress():
    for _ in range(28): await asyncio.sleep(0.05)

async def main():
    p = asyncio.create_task(progress(), name="progress")
    for i in range(3): await asyncio.create_task(page(i), name=f"page-{i}")
    await asyncio.gather(*(asyncio.create_task(page(i), name=f"page-{i}") for i in range(3, 7)))
    await p

uvloop.run(main())
