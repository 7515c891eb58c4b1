"""A thread sets a future's result itself: the loop notices when something else wakes it
(after questions about futures that are set from another thread).
truth: `fetch` awaits a future that thread `device` sets after 50 ms; the loop sleeps on for 0.4 s each time."""
import asyncio
import threading
import time


def read(answer):
    time.sleep(0.05)
    answer.set_result(7)


async def fetch():
    answer = asyncio.get_running_loop().create_future()
    threading.Thread(target=read, args=(answer,), name="device").start()
    return await answer


async def heartbeat():
    while True:
        await asyncio.sleep(0.45)


async def main():
    beat = asyncio.create_task(heartbeat())
    begun = time.monotonic()
    for _ in range(4):
        await fetch()
    print("truth took", time.monotonic() - begun)
    beat.cancel()


asyncio.run(main())
