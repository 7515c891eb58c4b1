"""The consumers of a bounded queue are cancelled, and the producer goes on waiting for room
(after reports of pipelines that hang when a stage fails).
truth: `read_rows` waits 1.2 s in Queue.put; its 2 consumers `store_rows` were cancelled after 0.15 s."""
import asyncio


async def read_rows(rows):
    for number in range(500):
        await rows.put({"id": number})


async def store_rows(rows):
    while True:
        row = await rows.get()
        await asyncio.sleep(0.01 + 0.001 * (row["id"] % 3))


async def main():
    rows = asyncio.Queue(maxsize=10)
    reader = asyncio.create_task(read_rows(rows), name="reader")
    stores = [asyncio.create_task(store_rows(rows)) for _ in range(2)]
    await asyncio.sleep(0.15)
    for store in stores:
        store.cancel()
    try:
        await asyncio.wait_for(reader, 1.2)
    except TimeoutError:
        print("truth", rows.qsize(), "rows left")


asyncio.run(main())
