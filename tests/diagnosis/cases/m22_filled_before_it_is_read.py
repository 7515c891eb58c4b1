"""An asyncio.Queue without bound; whoever fills it begins first, so nobody ever waits for an
item.
truth: asyncio.Queue without bound; the reader starts first (2 ms per line), `index` needs 8 ms
each: backlog of 400. queue grows, index."""
import asyncio


async def index(line): await asyncio.sleep(0.008)


async def indexer(q):
    while True:
        line = await q.get()
        await index(line)


async def reader(q):
    for i in range(600):
        q.put_nowait(f"line {i}")
        await asyncio.sleep(0.002)


async def main():
    q = asyncio.Queue()
    r = asyncio.create_task(reader(q), name="reader")
    c = asyncio.create_task(indexer(q), name="indexer")
    await r
    print("truth left", q.qsize()); c.cancel()
asyncio.run(main())
