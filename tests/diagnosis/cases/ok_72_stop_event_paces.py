"""Healthy: helpers wait for the stop event with a time-out, which paces their work."""
import asyncio


async def helper(stop, pause, done):
    while True:
        try:
            await asyncio.wait_for(stop.wait(), pause)
            return
        except TimeoutError:
            done.append(pause)


async def main():
    stop, done = asyncio.Event(), []
    helpers = [asyncio.create_task(helper(stop, pause, done)) for pause in (0.3, 0.4, 0.5, 0.6, 1.1)]
    await asyncio.sleep(1.4)
    stop.set()
    await asyncio.gather(*helpers)


asyncio.run(main())
