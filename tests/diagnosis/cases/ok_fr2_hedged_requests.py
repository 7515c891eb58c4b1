"""Healthy: two mirrors are asked, the first answer counts, the other call is cancelled."""

import asyncio
import random


async def mirror(chance, number):
    await asyncio.sleep(chance.uniform(0.005, 0.04))
    return number


async def get(chance, number):
    asks = [asyncio.create_task(mirror(chance, number)) for _ in range(2)]
    done, late = await asyncio.wait(asks, return_when=asyncio.FIRST_COMPLETED)
    for ask in late:
        ask.cancel()
    return done.pop().result()


async def user(chance):
    for number in range(40):
        await get(chance, number)
        await asyncio.sleep(0.01)


async def main():
    chance = random.Random(7)
    await asyncio.gather(*(user(chance) for _ in range(6)))


asyncio.run(main())
