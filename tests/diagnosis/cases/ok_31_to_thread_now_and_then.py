"""CLEAN: twenty tasks each read a file in a thread now and then."""
import asyncio
import random


def read():
    with open(__file__, "rb") as file:
        return len(file.read())


async def request():
    for _ in range(5):
        await asyncio.to_thread(read)
        await asyncio.sleep(random.uniform(0.05, 0.2))


async def main():
    await asyncio.gather(*(request() for _ in range(20)))


asyncio.run(main())
