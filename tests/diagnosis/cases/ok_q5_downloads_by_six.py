"""A crawler of forty pages, six at a time, each host a page of its own length."""
import asyncio


async def fetch(limit, n):
    async with limit:
        await asyncio.sleep(0.05 + (n % 5) * 0.03)


async def main():
    limit = asyncio.Semaphore(6)
    await asyncio.gather(*(fetch(limit, n) for n in range(40)))


asyncio.run(main())
