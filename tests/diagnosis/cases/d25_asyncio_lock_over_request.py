"""Every caller refreshes under one asyncio.Lock, during a slow request.
truth: `get_token` has the Lock 0.2 s in `asyncio.sleep` (a request); seven others wait for it."""
import asyncio


async def get_token(lock):
    async with lock:
        await asyncio.sleep(0.2)


async def main():
    lock = asyncio.Lock()
    await asyncio.gather(*(get_token(lock) for _ in range(8)))


asyncio.run(main())
