"""Healthy: a worker that ends when idle takes its queue away; the next event gets a new one."""

import asyncio


async def worker(queues, key):
    queue = queues[key]
    while True:
        try:
            event, done = await asyncio.wait_for(queue.get(), 0.2)
        except TimeoutError:
            del queues[key]
            return
        await asyncio.sleep(0.02)
        done.set_result(event)


async def submit(queues, key, event):
    done = asyncio.get_running_loop().create_future()
    if key not in queues:
        queues[key] = asyncio.Queue()
        asyncio.create_task(worker(queues, key))
    queues[key].put_nowait((event, done))
    await done


async def client(queues, key):
    for n in range(8):
        await submit(queues, key, n)
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.6)
    await submit(queues, key, "late")


async def main():
    queues = {}
    await asyncio.gather(*(client(queues, key) for key in "abc"))


asyncio.run(main())
