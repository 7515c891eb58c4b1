"""At the end, the loop has stopped and the main thread waits for the executor, one of whose jobs
waits for a coroutine of that loop (https://github.com/home-assistant/core/issues/45795).
truth: `save_state` waits 2 s in Future.result for `publish`, which nobody runs any more; MainThread
waits for it in the executor's shutdown."""
import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

pool = ThreadPoolExecutor(4, thread_name_prefix="sync-worker")
loop = asyncio.new_event_loop()
states = {}


async def publish(key):
    await asyncio.sleep(0.001)
    states[key] = time.monotonic()


def read_sensor(n):
    time.sleep(0.01)
    return n * 2


def save_state(key):
    time.sleep(0.1)  # asks the device
    future = asyncio.run_coroutine_threadsafe(publish(key), loop)
    try:
        future.result(2)
    except TimeoutError:
        print("state of", key, "was lost")


async def handle(n):
    value = await loop.run_in_executor(pool, read_sensor, n)
    await publish(f"sensor{value}")


async def serve():
    for round_ in range(10):
        await asyncio.gather(*(handle(n) for n in range(4)))
        await asyncio.sleep(0.02)
    loop.run_in_executor(pool, save_state, "hub")
    await asyncio.sleep(0.02)


def main():
    loop.run_until_complete(serve())
    since = time.monotonic()
    pool.shutdown(wait=True)
    print("truth", f"shutdown took {time.monotonic() - since:.2f} s")
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


main()
