"""Tasks ask again and again whether a lock is free (after reports of 100 % CPU in asyncio).
truth: `worker` yields with `sleep(0)` some ten thousand times while `owner` sleeps 0.8 s."""
import asyncio


async def owner(lock):
    async with lock:
        await asyncio.sleep(0.8)


async def worker(lock):
    while lock.locked():
        await asyncio.sleep(0)


async def main():
    lock = asyncio.Lock()
    await asyncio.gather(owner(lock), worker(lock))


asyncio.run(main())
