"""A worker catches everything, the cancellation too, and goes on; whoever stops it waits for ever
(after reports of `except BaseException: continue` in loops of consumers).
truth: `stop` cancels `worker` at 0.1 s and awaits it for 1.3 s; the worker swallowed it and works on."""
import asyncio


async def worker(jobs, errors):
    for _ in range(60):
        try:
            await asyncio.wait_for(jobs.get(), 0.02)
        except BaseException as error:
            errors.append(type(error).__name__)


async def stop(task):
    task.cancel()
    await task


async def main():
    errors = []
    task = asyncio.create_task(worker(asyncio.Queue(), errors))
    await asyncio.sleep(0.1)
    await stop(task)
    print("truth", errors.count("CancelledError"), "cancellation was swallowed")


asyncio.run(main())
