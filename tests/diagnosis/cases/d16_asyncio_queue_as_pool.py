"""Browser pages in an asyncio.Queue: requests wait for one of two.
truth: 10 tasks share 2 pages; each is kept 120 ms in `screenshot`."""
import asyncio


async def screenshot(pages):
    page = await pages.get()
    try:
        await asyncio.sleep(0.12)
    finally:
        pages.put_nowait(page)


async def main():
    pages = asyncio.Queue()
    for n in range(2):
        pages.put_nowait(n)
    await asyncio.gather(*(screenshot(pages) for _ in range(10)))


asyncio.run(main())
