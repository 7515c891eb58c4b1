"""A queue is polled with get_nowait and sleep(0): a whole CPU for nothing (python/asyncio#398).
truth: `poll_queue` runs tens of thousands of times in 1.5 s for five items."""
import asyncio
import collections

items = collections.deque()


async def poll_queue():
    got = turns = 0
    while got < 5:
        turns += 1
        if items:
            items.popleft()
            got += 1
        await asyncio.sleep(0)
    print("truth turns", turns)


async def main():
    task = asyncio.create_task(poll_queue())
    for n in range(5):
        await asyncio.sleep(0.3)
        items.append(n)
    await task


asyncio.run(main())
