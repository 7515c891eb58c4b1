"""A lock that was acquired without `async with` is never released after a cancel
(https://github.com/python/cpython/issues/88157).
truth: `refresh` was cancelled while it had the Lock; 3 tasks give up after 0.8 s."""
import asyncio


async def refresh(lock):
    await lock.acquire()
    await asyncio.sleep(1)
    lock.release()


async def read(lock):
    try:
        async with asyncio.timeout(0.8), lock:
            return "ok"
    except TimeoutError:
        return "gave up"


async def main():
    lock = asyncio.Lock()
    first = asyncio.create_task(refresh(lock))
    await asyncio.sleep(0.05)
    first.cancel()
    print("truth", await asyncio.gather(*(read(lock) for _ in range(3))))


asyncio.run(main())
