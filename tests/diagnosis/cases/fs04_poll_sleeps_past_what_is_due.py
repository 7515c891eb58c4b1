"""After github.com/dpkp/kafka-python/pull/502: `poll` waits for long, and what is due is late.

Truth: `run` waits 0.6 s in `poll` for records, however soon the next delayed task (a commit, a
heartbeat) is due: `commit` waits up to 0.6 s for what takes a moment.
"""

import anyio


class Consumer:
    def __init__(self):
        self.records = anyio.Event()
        self.delayed = []
        self.stopped = False

    async def poll(self, timeout):
        with anyio.move_on_after(timeout):
            await self.records.wait()

    async def run(self):
        while not self.stopped:
            await self.poll(0.6)
            due, self.delayed = self.delayed, []
            for done in due:
                done.set()

    async def commit(self):
        done = anyio.Event()
        self.delayed.append(done)
        await done.wait()


async def worker(consumer, number):
    await anyio.sleep(0.03 * number)
    for _ in range(4):
        await anyio.sleep(0.02)
        await consumer.commit()


async def main():
    consumer = Consumer()
    async with anyio.create_task_group() as group:
        group.start_soon(consumer.run)
        async with anyio.create_task_group() as workers:
            for number in range(4):
                workers.start_soon(worker, consumer, number)
        consumer.stopped = True


anyio.run(main)
