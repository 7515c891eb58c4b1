"""A consumer of a queue handles each batch in one long piece of Python, on uvloop
(after reports of consumers that miss their heartbeats).
truth: `aggregate` computes 0.2 s per batch, 5 times; `heartbeat`, asleep for 50 ms each time, is late."""
import asyncio
import time

import uvloop


def aggregate(batch):
    end, sums = time.thread_time() + 0.2, {}
    while time.thread_time() < end:
        for n in batch:
            sums[n % 7] = sums.get(n % 7, 0) + n
    return sums


async def consume(queue):
    while (batch := await queue.get()) is not None:
        aggregate(batch)
        await asyncio.sleep(0.12)


async def heartbeat():
    while True:
        await asyncio.sleep(0.05)


async def main():
    queue = asyncio.Queue()
    beat = asyncio.create_task(heartbeat())
    consumer = asyncio.create_task(consume(queue))
    for _ in range(5):
        queue.put_nowait(range(500))
    queue.put_nowait(None)
    await consumer
    beat.cancel()


uvloop.run(main())
