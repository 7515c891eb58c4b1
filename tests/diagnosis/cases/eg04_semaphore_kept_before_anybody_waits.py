"""Two that failed have the permits of a semaphore, and took them while there were some left.
truth: `export` 0 and 1 fail (OSError) with the two permits; later 5 `render` wait for one
(acquire in `render`, line 20) to the end, 1.2 s each."""
import asyncio


async def export(permits, name):
    await permits.acquire()
    await asyncio.sleep(0.02)
    if name < 2:
        raise OSError("disk full")
    permits.release()


def told(task):
    task.exception()


async def render(permits, name):
    await permits.acquire()
    try:
        await asyncio.sleep(0.02)
    finally:
        permits.release()


async def main():
    permits = asyncio.Semaphore(2)
    for name in range(2):
        asyncio.create_task(export(permits, name)).add_done_callback(told)
    await asyncio.sleep(0.2)
    await asyncio.wait([asyncio.create_task(render(permits, n)) for n in range(5)], timeout=1.2)


asyncio.run(main())
