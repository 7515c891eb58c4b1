"""Two tasks stand by for the lock of the one that leads, by design, as long as the service runs."""

import asyncio
lock = asyncio.Lock()
async def node(i, stop):
    try:
        async with lock:
            while not stop.is_set():
                await asyncio.sleep(0.05)
    except asyncio.CancelledError: pass
async def api():
    for _ in range(30): await asyncio.sleep(0.05)
async def main():
    stop = asyncio.Event()
    ns = [asyncio.create_task(node(i, stop), name=f"node-{i}") for i in range(3)]
    await api(); stop.set()
    await asyncio.gather(*ns)
asyncio.run(main())
