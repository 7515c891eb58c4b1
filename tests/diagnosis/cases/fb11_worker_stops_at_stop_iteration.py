"""A function that is run in a worker thread raises StopIteration; the thread ends, and the task waits for ever
(https://github.com/agronholm/anyio/issues/475).
truth: `run_sync` of `next_page` waits 1.5 s for a job whose worker thread failed with StopIteration at 0.1 s."""
import asyncio
import queue
import threading

jobs = queue.SimpleQueue()


def worker(loop):
    while True:
        function, argument, future = jobs.get()
        try:
            result = function(argument)
        except ValueError as error:
            loop.call_soon_threadsafe(future.set_exception, error)
        else:
            loop.call_soon_threadsafe(future.set_result, result)


async def run_sync(function, argument):
    future = asyncio.get_running_loop().create_future()
    jobs.put((function, argument, future))
    return await future


async def next_page(pages):
    return await run_sync(next, pages)


async def export(pages):
    while True:
        await next_page(pages)
        await asyncio.sleep(0.01)


async def main():
    loop = asyncio.get_running_loop()
    threading.excepthook = lambda args: None
    threading.Thread(target=worker, args=(loop,), name="blocking-worker", daemon=True).start()
    try:
        await asyncio.wait_for(export(iter(range(8))), 1.6)
    except TimeoutError:
        print("truth: no answer")


asyncio.run(main())
