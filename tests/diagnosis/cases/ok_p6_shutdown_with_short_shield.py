"""healthy: tasks end on cancel, one saves its state in 50 ms behind a shield"""
import asyncio
async def save(): await asyncio.sleep(0.05)
async def worker(n):
    try:
        while True: await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        await asyncio.shield(save()); raise
async def main():
    ts = [asyncio.create_task(worker(n)) for n in range(5)]
    await asyncio.sleep(1.2)
    for t in ts: t.cancel()
    await asyncio.gather(*ts, return_exceptions=True)
asyncio.run(main())
