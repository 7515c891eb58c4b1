"""Each request looks every millisecond whether its result is there
(after reports of `while not done: await asyncio.sleep(0.001)` in clients of queues).
truth: 80 tasks `wait_result` poll about 80,000 times in all; the loop does nothing else."""
import asyncio

RESULTS = {}


async def wait_result(job_id):
    while job_id not in RESULTS:
        await asyncio.sleep(0.001)
    return RESULTS.pop(job_id)


async def backend():
    await asyncio.sleep(1.0)
    for job_id in range(80):
        RESULTS[job_id] = job_id * 2
        await asyncio.sleep(0.002)


async def main():
    worker = asyncio.create_task(backend())
    print("truth", sum(await asyncio.gather(*(wait_result(n) for n in range(80)))))
    await worker


asyncio.run(main())
