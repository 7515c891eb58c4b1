"""A TaskGroup is left while a worker waits for a sentinel that nobody sends
(after reports of programs that do not end after their producers have).
truth: `main` waits 1.3 s at the end of its group for `worker`, which waits in Queue.get in vain."""
import asyncio


async def worker(jobs, done):
    while (job := await jobs.get()) is not None:
        await asyncio.sleep(0.005)
        done.append(job)


async def produce(jobs):
    for n in range(20):
        await jobs.put(n)
        await asyncio.sleep(0.004)


async def main():
    jobs, done = asyncio.Queue(), []
    try:
        async with asyncio.timeout(1.4):
            async with asyncio.TaskGroup() as group:
                group.create_task(worker(jobs, done))
                group.create_task(worker(jobs, done))
                group.create_task(produce(jobs))
    except TimeoutError:
        print("truth", len(done), "jobs are done, and the group did not end")


asyncio.run(main())
