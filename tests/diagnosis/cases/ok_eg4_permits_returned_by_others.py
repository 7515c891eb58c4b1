"""As eg04, but whoever fails gives its permit back, and a hand-over gives back the other one's:
a permit that one task takes and another one returns is no loss. Healthy."""
import asyncio


async def export(permits, name):
    async with permits:
        await asyncio.sleep(0.02)
        if name < 2:
            raise OSError("disk full")


async def take(permits, taken):
    await permits.acquire()
    taken.set()


async def give(permits, taken):
    await taken.wait()
    await asyncio.sleep(0.05)
    permits.release()


async def render(permits):
    async with permits:
        await asyncio.sleep(0.05)


def told(task):
    task.exception()


async def main():
    permits = asyncio.Semaphore(2)
    for name in range(2):
        asyncio.create_task(export(permits, name)).add_done_callback(told)
    await asyncio.sleep(0.1)
    for _ in range(6):
        taken = asyncio.Event()
        pair = asyncio.create_task(take(permits, taken)), asyncio.create_task(give(permits, taken))
        await asyncio.gather(*pair, *(render(permits) for _ in range(3)))
        await asyncio.sleep(0.1)


asyncio.run(main())
