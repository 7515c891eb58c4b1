"""CLEAN: four workers take pages from a queue and put the links they find into it."""
import asyncio


async def crawl(pages, seen):
    while True:
        depth = await pages.get()
        await asyncio.sleep(0.02)
        seen.append(depth)
        if depth < 5:
            for _ in range(2):
                pages.put_nowait(depth + 1)
        pages.task_done()


async def main():
    pages, seen = asyncio.Queue(), []
    workers = [asyncio.create_task(crawl(pages, seen)) for _ in range(4)]
    pages.put_nowait(0)
    await pages.join()
    for worker in workers:
        worker.cancel()
    print(len(seen))


asyncio.run(main())
