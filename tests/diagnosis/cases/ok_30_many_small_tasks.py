"""CLEAN: 3,000 tasks are started at once, each with next to nothing to do."""
import asyncio


async def small(n):
    await asyncio.sleep(0.05)
    return n


async def main():
    print(sum(await asyncio.gather(*(small(n) for n in range(3000)))))


asyncio.run(main())
