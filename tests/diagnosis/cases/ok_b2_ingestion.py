"""HEALTHY: batches of events are gathered with a time-out, written by a few at a time under a
semaphore that fits, and a ticker refreshes tokens under a lock for a moment."""
import asyncio
import random

dice = random.Random(3)


async def source(queue, n):
    for k in range(80):
        await asyncio.sleep(dice.random() / 50)
        await queue.put((n, k))


async def batch(queue):
    found = [await queue.get()]
    try:
        async with asyncio.timeout(0.05):
            while len(found) < 20:
                found.append(await queue.get())
    except TimeoutError:
        pass
    return found


async def write(gate, rows, written):
    async with gate:
        await asyncio.sleep(0.005)
        written.extend(rows)


async def refresh(lock, token):
    while True:
        await asyncio.sleep(0.2)
        async with lock:
            await asyncio.sleep(0.002)
            token[0] += 1


async def main():
    queue, gate, lock, written, token = asyncio.Queue(100), asyncio.Semaphore(4), asyncio.Lock(), [], [0]
    ticking = asyncio.create_task(refresh(lock, token))
    sources = [asyncio.create_task(source(queue, n)) for n in range(5)]
    writing = set()
    while len(written) + queue.qsize() < 400:
        try:
            async with asyncio.timeout(0.5):
                rows = await batch(queue)
        except TimeoutError:
            break
        async with lock:
            task = asyncio.create_task(write(gate, rows, written))
        writing.add(task)
        task.add_done_callback(writing.discard)
    await asyncio.gather(*sources, *writing)
    ticking.cancel()
    print(len(written))


asyncio.run(main())
