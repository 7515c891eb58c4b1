"""A consumer that looks for each key in a list of all it has seen (gets slower the longer it runs).

Truth: 15,000 messages; `on_message` looks through `seen`, a list, 20 times in a step: some us at
first, many ms in the end; the loop is busy with it all the time and each `heartbeat` is late.
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
        if number % 20 == 0:
            await asyncio.sleep(0)


async def produce(queue):
    for number in range(15_000):
        await queue.put(number)
    await queue.put(None)


async def heartbeat(late):
    while True:
        begun = time.perf_counter()
        await asyncio.sleep(0.01)
        late.append(time.perf_counter() - begun - 0.01)


async def main():
    queue, late = asyncio.Queue(), []
    beats = [asyncio.create_task(heartbeat(late)) for _ in range(5)]
    begun = time.perf_counter()
    await asyncio.gather(produce(queue), consume(queue))
    for beat in beats:
        beat.cancel()
    print(f"truth: {time.perf_counter() - begun:.2f} s; heartbeat late {sum(late) / len(late) * 1e3:.1f} ms on average")


asyncio.run(main())
