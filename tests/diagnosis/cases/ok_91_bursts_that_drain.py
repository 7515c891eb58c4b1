"""Events come in bursts into queues without bound, of threads and of tasks; the consumers empty
them before the next burst.
truth: nothing is wrong: both queues are empty three times in four."""
import asyncio
import queue
import threading
import time

lines = queue.Queue()


def shipper():
    while lines.get() is not None:
        time.sleep(0.001)


async def consumer(events):
    while True:
        await events.get()
        await asyncio.sleep(0.0005)


async def main():
    events = asyncio.Queue()
    thread = threading.Thread(target=shipper, name="shipper")
    thread.start()
    task = asyncio.create_task(consumer(events))
    for _ in range(5):
        for n in range(60):
            events.put_nowait(n)
            lines.put(n)
        await asyncio.sleep(0.5)
    task.cancel()
    lines.put(None)
    await asyncio.to_thread(thread.join)


asyncio.run(main())
