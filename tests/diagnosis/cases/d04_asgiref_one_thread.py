"""All synchronous views share one thread: a slow one holds up the others (django/asgiref#218).
truth: `slow_view` sleeps 0.3 s three times in the one thread; `quick_view` waits for it."""
import asyncio
import time

from asgiref.sync import sync_to_async


def slow_view():
    time.sleep(0.3)


def quick_view():
    return "pong"


async def request(view):
    before = time.perf_counter()
    await sync_to_async(view)()
    return time.perf_counter() - before


async def main():
    slow = [asyncio.create_task(request(slow_view)) for _ in range(3)]
    await asyncio.sleep(0.01)
    quick = await asyncio.gather(*(request(quick_view) for _ in range(3)))
    await asyncio.gather(*slow)
    print(f"truth quick took {max(quick) * 1e3:.0f} ms")


asyncio.run(main())
