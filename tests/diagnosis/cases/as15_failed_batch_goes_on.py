"""gather fails with the first error and the batch is tried again, while the tasks of the first attempts go on
(after https://github.com/python/cpython/issues/75633).
truth: 4 attempts of 10 `fetch` share 3 permits, though only the last one's results are used: 30 are for nothing.
wanted: `fetch` wait up to 2 s for one of 3 permits (line 13), which `fetch` of attempts that were given up have."""

import asyncio


async def fetch(permits, attempt, n):
    if n == 9 and attempt < 3:
        await asyncio.sleep(0.05)
        raise ConnectionError("refused")
    async with permits:
        await asyncio.sleep(0.2)
    return n


async def load(permits):
    for attempt in range(4):
        try:
            return await asyncio.gather(*(fetch(permits, attempt, n) for n in range(10)))
        except ConnectionError:
            continue


async def main():
    permits = asyncio.Semaphore(3)
    print("truth: results", len(await load(permits)))


asyncio.run(main())
