"""Healthy: one call of twenty is given up after its time and asked again, which is quick."""

import asyncio


async def backend(number):
    await asyncio.sleep(0.5 if number % 20 == 7 else 0.01)
    return number


async def call(number):
    try:
        async with asyncio.timeout(0.1):
            return await backend(number)
    except TimeoutError:
        return await backend(0)


async def user(first):
    for number in range(first, first + 40):
        await call(number)
        await asyncio.sleep(0.01)


async def main():
    await asyncio.gather(*(user(first) for first in range(0, 6)))


asyncio.run(main())
