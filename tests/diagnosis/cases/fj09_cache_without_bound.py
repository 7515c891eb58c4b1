"""A cache in a service that nothing is ever taken out of ("memory of my async service grows and grows").

Truth: `remember` keeps each answer in a dict: about 300 MB after 3 s.
"""

import asyncio
import os

cache = {}


def remember(key, answer):
    cache[key] = answer


async def handle(number):
    await asyncio.sleep(0.002)
    answer = os.urandom(250) * 1000
    remember(f"user-{number}", answer)
    return len(answer)


async def main():
    for number in range(1200):
        await handle(number)
    print(f"truth: {sum(map(len, cache.values())) / 1e6:.0f} MB in the cache")


asyncio.run(main())
