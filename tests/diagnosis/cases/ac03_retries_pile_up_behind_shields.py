"""A time-out around a shielded upload gives up and tries again, while the first one goes on
(after questions about wait_for and shield).
truth: `save` begins 5 uploads each, which all go on: 20 `upload` share 2 permits and wait up to 2 s."""
import asyncio


async def upload(permits, n):
    async with permits:
        await asyncio.sleep(0.2)
    return n


async def save(permits, n):
    for attempt in range(5):
        try:
            return await asyncio.wait_for(asyncio.shield(upload(permits, n)), 0.15)
        except TimeoutError:
            pass
    return None


async def main():
    permits = asyncio.Semaphore(2)
    print("truth", await asyncio.gather(*(save(permits, n) for n in range(4))))
    await asyncio.sleep(1.0)


asyncio.run(main())
