"""CLEAN: 100 requests, ten at a time by a semaphore, as intended."""
import asyncio


async def fetch(permits, n):
    async with permits:
        await asyncio.sleep(0.05)


async def main():
    permits = asyncio.Semaphore(10)
    await asyncio.gather(*(fetch(permits, n) for n in range(100)))


asyncio.run(main())
