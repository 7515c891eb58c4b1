"""A cache gives all callers one future for a load; whoever loads is cancelled with its client
(cf. https://github.com/openai/openai-agents-python/pull/4199).

`request-0` is cancelled in `load`, called by `get`, after 0.1 s; `request-1` to `request-5`
wait in `get` for the future that it was to set, 1.1 s each, and give up.
"""

import asyncio, time
inflight = {}

async def load(key):
    await asyncio.sleep(0.3); return key.upper()

async def get(key):
    if key in inflight: return await inflight[key]
    f = inflight[key] = asyncio.get_running_loop().create_future()
    value = await load(key)
    f.set_result(value); del inflight[key]
    return value

async def request(i, key):
    t = time.perf_counter()
    try:
        async with asyncio.timeout(1.1): await get(key)
    except TimeoutError: print(f"truth request-{i} gave up after {time.perf_counter()-t:.2f} s")

async def main():
    first = asyncio.create_task(request(0, "a"), name="request-0")
    await asyncio.sleep(0.02)
    ts = [asyncio.create_task(request(i, "a"), name=f"request-{i}") for i in range(1, 6)]
    ts += [asyncio.create_task(request(i, f"k{i}"), name=f"other-{i}") for i in range(4)]
    await asyncio.sleep(0.08); first.cancel()
    await asyncio.gather(first, *ts, return_exceptions=True)
asyncio.run(main())
