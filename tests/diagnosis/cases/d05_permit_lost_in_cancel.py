"""A permit that was acquired without `async with` is lost when the task is cancelled (python/cpython#88157).
truth: `upload` was cancelled while it had the only permit; three others give up after 0.8 s."""
import asyncio


async def upload(permits):
    await permits.acquire()
    await asyncio.sleep(0.5)
    permits.release()


async def main():
    permits = asyncio.Semaphore(1)
    first = asyncio.create_task(upload(permits))
    await asyncio.sleep(0.05)
    first.cancel()

    async def guarded():
        try:
            await asyncio.wait_for(upload(permits), 0.8)
        except TimeoutError:
            return "gave up"

    print("truth", await asyncio.gather(*(guarded() for _ in range(3))))


asyncio.run(main())
