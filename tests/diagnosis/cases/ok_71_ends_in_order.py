"""Healthy: workers that are cancelled finish what they do and close, in 0.3 s."""
import asyncio


async def worker(jobs, done):
    try:
        while True:
            await jobs.get()
            await asyncio.sleep(0.01)
    except asyncio.CancelledError:
        for _ in range(3):
            await asyncio.sleep(0.1)  # writes what is left
            done.append(1)
        raise


async def main():
    jobs, done = asyncio.Queue(), []
    workers = [asyncio.create_task(worker(jobs, done)) for _ in range(4)]
    for n in range(60):
        jobs.put_nowait(n)
        await asyncio.sleep(0.01)
    for one in workers:
        one.cancel()
    await asyncio.gather(*workers, return_exceptions=True)


asyncio.run(main())
