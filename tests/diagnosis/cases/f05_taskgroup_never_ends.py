"""Workers of asyncio.Queue die of an exception; `join` never ends
(https://github.com/python/cpython/issues/90908 and others of its kind).
truth: `worker` ended by ValueError at its third item; `main` waits in Queue.join for 1.2 s."""
import asyncio


async def worker(queue):
    while True:
        item = await queue.get()
        if item == 3:
            raise ValueError(item)
        queue.task_done()


async def main():
    queue = asyncio.Queue()
    for n in range(20):
        queue.put_nowait(n)
    task = asyncio.create_task(worker(queue), name="worker")
    try:
        await asyncio.wait_for(queue.join(), 1.2)
    except TimeoutError:
        print("truth: gave up", task.done())


asyncio.run(main())
