"""Healthy: workers take jobs from a queue, write results to redis in pipelines, and end with sentinels."""

import asyncio
import os
import random

import redis.asyncio as redis


async def worker(queue, client):
    batch = []
    while (job := await queue.get()) is not None:
        await asyncio.sleep(random.uniform(0.001, 0.004))
        batch.append(job)
        if len(batch) == 20:
            async with client.pipeline() as pipe:
                for one in batch:
                    pipe.set(f"job:{one}", "done")
                await pipe.execute()
            batch.clear()
        queue.task_done()
    queue.task_done()


async def main():
    client = redis.from_url(os.environ["REDIS_URL"])
    queue = asyncio.Queue(maxsize=50)
    workers = [asyncio.create_task(worker(queue, client)) for _ in range(6)]
    for job in range(1200):
        await queue.put(job)
    for _ in workers:
        await queue.put(None)
    await asyncio.gather(*workers)
    await client.aclose()


asyncio.run(main())
