"""Alarm clocks: each request asks for a time, and one task wakes them in the order of time."""
import asyncio
import heapq
import itertools

order = itertools.count()


async def clock(heap, changed):
    loop = asyncio.get_running_loop()
    while True:
        if not heap:
            changed.clear()
            await changed.wait()
        when, _, done = heap[0]
        await asyncio.sleep(max(0, min(0.02, when - loop.time())))
        while heap and heap[0][0] <= loop.time():
            heapq.heappop(heap)[2].set_result(None)


async def sleeper(heap, changed, n):
    for _ in range(3):
        done = asyncio.get_running_loop().create_future()
        heapq.heappush(heap, (asyncio.get_running_loop().time() + 0.2 + n * 0.05, next(order), done))
        changed.set()
        await done


async def main():
    heap, changed = [], asyncio.Event()
    task = asyncio.create_task(clock(heap, changed))
    await asyncio.gather(*(sleeper(heap, changed, n) for n in range(8)))
    task.cancel()


asyncio.run(main())
