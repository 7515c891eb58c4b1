"""CLEAN: a batcher collects for 50 ms with wait_for(q.get()) and flushes."""
import asyncio
async def flush(batch): await asyncio.sleep(0.01)
async def batcher(q):
    batch = []
    while True:
        try: m = await asyncio.wait_for(q.get(), 0.05)
        except TimeoutError:
            if batch: await flush(batch); batch = []
            continue
        if m is None: return
        batch.append(m)
async def producer(q):
    for i in range(60):
        await asyncio.sleep(0.004 if i % 10 else 0.2); await q.put(i)
    await q.put(None)
async def main():
    q = asyncio.Queue(); await asyncio.gather(batcher(q), producer(q))
asyncio.run(main())
