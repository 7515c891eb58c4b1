"""An interceptor takes a semaphore of threads on the loop (marin-community/marin#5925).

The loop stands still for 1.0 s in `_acquire`, called by `call-4`: the four slots are those of
`call-0` to `call-3`, asleep in `fetch_logs`, which only this loop could resume.
"""

import asyncio, threading, time
import uvloop

slots = threading.Semaphore(4)

def _acquire():
    if not slots.acquire(timeout=1.0):
        raise RuntimeError("resource exhausted")

async def fetch_logs():
    await asyncio.sleep(0.15)
    return "lines"

async def intercept(handler):
    _acquire()
    try:
        return await handler()
    finally:
        slots.release()

async def dashboard():
    worst = 0.0
    for _ in range(10):
        t = time.perf_counter(); await asyncio.sleep(0.05)
        worst = max(worst, time.perf_counter() - t - 0.05)
    print(f"truth dashboard {worst:.2f} s late")

async def call(i):
    t = time.perf_counter()
    try: await intercept(fetch_logs)
    except RuntimeError as e: print(f"truth call-{i} {e} after {time.perf_counter()-t:.2f} s")

async def main():
    d = asyncio.create_task(dashboard(), name="dashboard")
    await call("first"); await asyncio.sleep(0.05)
    ts = []
    for i in range(5):
        ts.append(asyncio.create_task(call(i), name=f"call-{i}")); await asyncio.sleep(0)
    await asyncio.gather(*ts, d)

uvloop.run(main())
