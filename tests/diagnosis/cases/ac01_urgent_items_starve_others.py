"""Urgent jobs keep a priority queue busy, so that ordinary ones wait until they stop
(after questions about asyncio.PriorityQueue and starvation).
truth: 5 `report` (priority 9) wait up to 1.6 s for an answer; `worker` serves 80 `alert` (priority 0) before."""
import asyncio
import itertools

count = itertools.count()


async def worker(queue):
    while True:
        _, _, answer = await queue.get()
        await asyncio.sleep(0.02)
        answer.set_result(None)


async def ask(queue, priority):
    answer = asyncio.get_running_loop().create_future()
    queue.put_nowait((priority, next(count), answer))
    await answer


async def report(queue):
    await ask(queue, 9)


async def alert(queue):
    await ask(queue, 0)


async def main():
    queue = asyncio.PriorityQueue()
    task = asyncio.create_task(worker(queue))
    async with asyncio.TaskGroup() as group:
        for n in range(80):
            group.create_task(alert(queue))
            if n < 5:
                group.create_task(report(queue))
            await asyncio.sleep(0.019)
    task.cancel()


asyncio.run(main())
