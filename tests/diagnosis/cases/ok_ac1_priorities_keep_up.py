"""HEALTHY: a priority queue whose worker keeps up; retries that begin when the last one has ended."""
import asyncio
import itertools

count = itertools.count()


async def worker(queue):
    while True:
        _, _, answer = await queue.get()
        await asyncio.sleep(0.004)
        answer.set_result(None)


async def ask(queue, priority):
    for attempt in range(3):
        answer = asyncio.get_running_loop().create_future()
        queue.put_nowait((priority, next(count), answer))
        try:
            return await asyncio.wait_for(answer, 1)
        except TimeoutError:
            continue


async def main():
    queue = asyncio.PriorityQueue()
    task = asyncio.create_task(worker(queue))
    async with asyncio.TaskGroup() as group:
        for n in range(100):
            group.create_task(ask(queue, 0 if n % 3 else 9))
            await asyncio.sleep(0.015)
    task.cancel()


asyncio.run(main())
