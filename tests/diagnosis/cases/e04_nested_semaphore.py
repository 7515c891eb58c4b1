"""Sessions keep their permit while they wait for child sessions that need one, too
(https://github.com/tomcounsell/ai/issues/1004).
truth: 3 `run_session` have all 3 permits; their children wait for one; nothing moves for 1.2 s."""
import asyncio


async def run_session(permits, depth):
    async with permits:
        await asyncio.sleep(0.02)
        if depth:
            await asyncio.create_task(run_session(permits, depth - 1))


async def main():
    permits = asyncio.Semaphore(3)
    try:
        async with asyncio.timeout(1.2):
            await asyncio.gather(*(run_session(permits, 1) for _ in range(3)))
    except TimeoutError:
        print("truth: stuck")


asyncio.run(main())
