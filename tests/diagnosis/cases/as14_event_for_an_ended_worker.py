"""Each key has a worker that ends when it was idle; an event that comes then goes into the queue of the ended one
(after https://github.com/nolar/kopf/pull/732).
truth: `dispatch` puts into the queue of `worker`, which has ended; `submit` waits 1.2 s for its answer in vain.
wanted: `submit` waited in vain (line 36) for an answer of `worker`, which ended before."""

import asyncio


async def worker(key, queue):
    while True:
        try:
            event, done = await asyncio.wait_for(queue.get(), 0.2)
        except TimeoutError:
            return  # idle; its queue stays known
        await asyncio.sleep(0.02)
        done.set_result(event)


class Operator:
    def __init__(self):
        self.queues = {}
        self.tasks = []

    def dispatch(self, key, event, done):
        if key not in self.queues:
            self.queues[key] = asyncio.Queue()
            self.tasks.append(asyncio.create_task(worker(key, self.queues[key])))
        self.queues[key].put_nowait((event, done))


async def submit(operator, key, event):
    done = asyncio.get_running_loop().create_future()
    operator.dispatch(key, event, done)
    try:
        async with asyncio.timeout(1.2):
            await done
    except TimeoutError:
        print("truth: no answer for", key, event)


async def client(operator, key):
    for n in range(8):
        await submit(operator, key, n)
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.4)
    await submit(operator, key, "late")


async def main():
    operator = Operator()
    await asyncio.gather(*(client(operator, key) for key in "abc"))


asyncio.run(main())
