"""A job of the executor waits for another job of the same executor through the loop
(https://github.com/python/cpython/issues/95294 tells of nested executors).
truth: both workers wait in `result` in `export` for `load`, which needs a worker, for 1.2 s."""
import asyncio
import concurrent.futures


def load():
    return 1


async def load_async(loop, pool):
    return await loop.run_in_executor(pool, load)


def export(loop, pool):
    future = asyncio.run_coroutine_threadsafe(load_async(loop, pool), loop)
    try:
        return future.result(timeout=1.2)
    except TimeoutError:
        return "gave up"


async def main():
    loop = asyncio.get_running_loop()
    with concurrent.futures.ThreadPoolExecutor(2, thread_name_prefix="pool") as pool:
        print(await asyncio.gather(
            *(loop.run_in_executor(pool, export, loop, pool) for _ in range(2))
        ))


asyncio.run(main())
