"""A consumer that looks for each key in a list of all it has seen (gets slower the longer it runs).

Truth: 9,000 messages; `on_message` looks through `seen`, a list: some us at first, about half a ms in
the end; the loop is busy with it all the time and `heartbeat` is late.
"""

import asyncio
import time

seen = []


async def on_message(number):
    key = f"order-{number:08d}"
    if key in seen:
        return False
    seen.append(key)
    return True


async def consume(queue):
    while True:
        number = await queue.get()
        if number is None:
            return
        await on_message(number)
        await asyncio.sleep(0)


async def produce(queue):
    for number in range(9000):
        await queue.put(number)
    await queue.put(None)


async def heartbeat(late):
    while True:
        begun = time.perf_counter()
        await asyncio.sleep(0.002)
        late.append(time.perf_counter() - begun - 0.002)


async def main():
    queue, late = asyncio.Queue(maxsize=100), []
    beat = asyncio.create_task(heartbeat(late))
    begun = time.perf_counter()
    await asyncio.gather(produce(queue), consume(queue))
    beat.cancel()
    print(f"truth: {time.perf_counter() - begun:.2f} s; heartbeat late {sum(late) / len(late) * 1e3:.1f} ms on average")


asyncio.run(main())
