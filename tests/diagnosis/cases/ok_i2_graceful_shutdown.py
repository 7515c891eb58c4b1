"""healthy: workers finish their current job of 0.3 s when they are cancelled"""
import asyncio
async def job(): await asyncio.sleep(0.3)
async def worker():
    while True:
        t = asyncio.ensure_future(job())
        try: await asyncio.shield(t)
        except asyncio.CancelledError:
            await t; raise
async def main():
    ws = [asyncio.create_task(worker()) for _ in range(4)]
    await asyncio.sleep(1.0)
    for w in ws: w.cancel()
    await asyncio.gather(*ws, return_exceptions=True)
asyncio.run(main())
