"""Callers share one load in a task of its own: one that gives up ends only its own wait.
"""

import asyncio
inflight = {}
async def load(key): await asyncio.sleep(0.6); return key
async def get(key):
    if key not in inflight:
        inflight[key] = asyncio.create_task(load(key))
        inflight[key].add_done_callback(lambda t: inflight.pop(key))
    return await asyncio.shield(inflight[key])
async def request(key, t=5):
    try:
        async with asyncio.timeout(t): return await get(key)
    except TimeoutError: return None
async def main():
    for k in "ab":
        await asyncio.gather(request(k, 0.1), *(request(k) for _ in range(6)))
asyncio.run(main())
