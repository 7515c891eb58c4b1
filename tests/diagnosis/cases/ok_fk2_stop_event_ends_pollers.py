"""Healthy: pollers wait for a stop event with a time-out, and end at once."""
import asyncio


async def poller(stop, seen):
    while not stop.is_set():
        seen.append(1)
        try:
            await asyncio.wait_for(stop.wait(), 0.2)
        except TimeoutError:
            pass


async def main():
    stop, seen = asyncio.Event(), []
    tasks = [asyncio.create_task(poller(stop, seen)) for _ in range(5)]
    await asyncio.sleep(1.3)
    stop.set()
    await asyncio.gather(*tasks)
    print(len(seen))


asyncio.run(main())
