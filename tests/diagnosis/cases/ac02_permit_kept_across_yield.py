"""An async generator yields while it has a permit: its slow consumer keeps the permit
(after questions about semaphores in async generators).
truth: 2 permits; `rows` keeps one while `export` sleeps 50 ms for each row; `preview` waits up to 1 s."""
import asyncio
import time

late = []


async def rows(permits, count):
    async with permits:
        for n in range(count):
            yield n


async def export(permits):
    async for row in rows(permits, 10):
        await asyncio.sleep(0.05)


async def preview(permits):
    begun = time.monotonic()
    async for row in rows(permits, 1):
        late.append(time.monotonic() - begun)


async def main():
    permits = asyncio.Semaphore(2)
    tasks = [asyncio.create_task(export(permits)) for _ in range(4)]
    await asyncio.sleep(0.01)
    tasks += [asyncio.create_task(preview(permits)) for _ in range(4)]
    await asyncio.gather(*tasks)
    print("truth", max(late))


asyncio.run(main())
