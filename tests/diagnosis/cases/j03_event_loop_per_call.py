"""A synchronous service runs each coroutine with `asyncio.run` and a thread of its own
(after reports of "event loop is already running" work-arounds).
truth: `call_async` makes a thread and a loop 12 times and waits 100 ms for each, under a lock:
4 threads `web-N` wait for it."""
import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

lock = threading.Lock()


async def fetch(number):
    await asyncio.sleep(0.1)
    return number


def call_async(number):
    with lock, ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, fetch(number)).result()


def handle(number):
    for step in range(3):
        call_async(step)


threads = [threading.Thread(target=handle, args=(n,), name=f"web-{n}") for n in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
