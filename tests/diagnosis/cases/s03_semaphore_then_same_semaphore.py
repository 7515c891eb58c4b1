"""A crawl takes a permit and, for the pages that it finds, another one of the same semaphore
(after reports of recursive crawlers with one limit that stop at once).
truth: all 4 permits are with `visit`, which waits for its own children; each child waits for a permit."""
import asyncio

limit = asyncio.Semaphore(4)


async def visit(page, depth):
    async with limit:
        await asyncio.sleep(0.02)
        if depth:
            await asyncio.gather(*(visit(f"{page}/{n}", depth - 1) for n in range(3)))


async def main():
    try:
        await asyncio.wait_for(asyncio.gather(*(visit(f"/{n}", 2) for n in range(4))), 1.5)
    except TimeoutError:
        print("truth stuck")


asyncio.run(main())
