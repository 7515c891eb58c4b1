"""HEALTHY: a writer collects what comes within 20 ms and commits it at once; each request waits for
its own commit, which is how it is meant."""
import asyncio
import random
import time

dice = random.Random(4)


class Journal:
    def __init__(self):
        self.queue, self.commits = asyncio.Queue(), 0

    async def append(self, record):
        future = asyncio.get_running_loop().create_future()
        self.queue.put_nowait((record, future))
        return await future

    async def write(self):
        while True:
            batch = [await self.queue.get()]
            until = time.monotonic() + 0.02
            while (left := until - time.monotonic()) > 0:
                try:
                    batch.append(await asyncio.wait_for(self.queue.get(), left))
                except TimeoutError:
                    break
            await asyncio.sleep(0.004)  # fsync
            self.commits += 1
            for _, future in batch:
                future.set_result(self.commits)


async def request(journal, n):
    for k in range(25):
        await journal.append((n, k))
        await asyncio.sleep(dice.random() / 40)


async def main():
    journal = Journal()
    writing = asyncio.create_task(journal.write())
    await asyncio.gather(*(request(journal, n) for n in range(12)))
    writing.cancel()
    print(journal.commits)


asyncio.run(main())
