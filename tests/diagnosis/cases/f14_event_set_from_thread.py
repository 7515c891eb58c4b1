"""A thread sets an asyncio.Event without call_soon_threadsafe: the loop sleeps on
(https://github.com/python/cpython/issues/78528 explains it).
truth: `wait_for_file` sleeps until its time-out of 1.5 s, though the event was set at 0.2 s."""
import asyncio
import threading
import time


def watch(event):
    time.sleep(0.2)
    event.set()


async def wait_for_file(event):
    try:
        await asyncio.wait_for(event.wait(), 1.5)
    except TimeoutError:
        pass


async def main():
    event = asyncio.Event()
    threading.Thread(target=watch, args=(event,), name="watcher").start()
    await wait_for_file(event)


asyncio.run(main())
