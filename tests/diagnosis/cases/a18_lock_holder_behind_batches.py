"""The holder of an asyncio.Lock yields with sleep(0) and then stands behind 40 computing tasks
(https://github.com/python/cpython/issues/90155).
wanted: `urgent` waits for the lock of `reindex`, which was mostly ready but not run: 40 `batch` tasks take the loop (crowd)"""
import asyncio, time


def spin(ms):
    end = time.perf_counter() + ms / 1000
    while time.perf_counter() < end: pass


async def batch(n):
    for _ in range(10):
        spin(2)
        await asyncio.sleep(0)


async def reindex(lock):
    async with lock:
        for _ in range(10):
            spin(0.2)
            await asyncio.sleep(0)


async def urgent(lock, waits):
    t = time.monotonic()
    async with lock:
        waits.append(time.monotonic() - t)


async def main():
    lock = asyncio.Lock(); waits = []
    r = asyncio.create_task(reindex(lock))
    await asyncio.sleep(0)
    await asyncio.gather(r, *(batch(n) for n in range(40)), *(urgent(lock, waits) for _ in range(4)))
    print("truth", max(waits))

asyncio.run(main())
