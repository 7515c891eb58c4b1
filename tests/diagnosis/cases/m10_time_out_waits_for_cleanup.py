"""A time-out that takes effect late: the cancelled coroutine cleans up first.
After https://github.com/python/cpython/pull/7216 and
https://github.com/python/asyncio/issues/253. `call` gives `fetch` 0.2 s, but waits 1.1 s
each time, since `close_session`, awaited in the `finally` of `fetch`, sleeps 0.9 s."""

import asyncio
import time


async def close_session():
    await asyncio.sleep(0.9)


async def fetch(n):
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await close_session()


async def call(n):
    began = time.monotonic()
    try:
        await asyncio.wait_for(fetch(n), 0.2)
    except TimeoutError:
        pass
    return time.monotonic() - began


async def poll_status():
    while True:
        await asyncio.sleep(0.04)


async def main():
    status = asyncio.create_task(poll_status())
    took = await asyncio.gather(*(call(n) for n in range(5)))
    print(f"time-outs of 0.2 s took {max(took):.2f} s")
    status.cancel()


asyncio.run(main())
