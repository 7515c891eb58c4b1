"""The trace must show producers held up in `Queue.put` by consumers short of a semaphore.

Three producers feed four consumers through a queue of eight places; every item is stored by a
task of its own, and only two of those may be in the database at once.
"""

import asyncio
import time

PRODUCERS, CONSUMERS, ITEMS_EACH = 3, 4, 150
QUEUE_PLACES, CONNECTIONS = 8, 2

waited_s = {"put": 0.0, "get": 0.0, "database": 0.0}
stored: list[int] = []


async def produce(queue: asyncio.Queue[int], first: int) -> None:
    for item in range(first, first + ITEMS_EACH):
        start = time.monotonic()
        await queue.put(item)
        waited_s["put"] += time.monotonic() - start


async def store(item: int, database: asyncio.Semaphore) -> None:
    start = time.monotonic()
    async with database:
        waited_s["database"] += time.monotonic() - start
        await asyncio.sleep(0.002)
        stored.append(item)


async def consume(queue: asyncio.Queue[int], database: asyncio.Semaphore) -> None:
    while True:
        start = time.monotonic()
        item = await queue.get()
        waited_s["get"] += time.monotonic() - start
        await asyncio.create_task(store(item, database), name=f"store-{item}")
        queue.task_done()


async def main() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue(QUEUE_PLACES)
    database = asyncio.Semaphore(CONNECTIONS)
    consumers = [
        asyncio.create_task(consume(queue, database), name=f"consumer-{n}")
        for n in range(CONSUMERS)
    ]
    await asyncio.gather(*(produce(queue, n * ITEMS_EACH) for n in range(PRODUCERS)))
    await queue.join()
    for consumer in consumers:
        consumer.cancel()


asyncio.run(main())
assert sorted(stored) == list(range(PRODUCERS * ITEMS_EACH))
waits = ", ".join(f"{what} {seconds * 1e3:.0f} ms" for what, seconds in waited_s.items())
print(f"{len(stored)} items stored; waited for {waits}")
