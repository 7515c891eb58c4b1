"""A coroutine submits to its own executor and waits with `result()`
(https://github.com/run-llama/llama_index/issues/20763 is one of many such blocks).
truth: the loop is blocked 4 x 120 ms in Future.result in `thumbnail` for `resize`."""
import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

pool = ThreadPoolExecutor(2, "resize")


def resize(name):
    time.sleep(0.12)
    return name


async def thumbnail(name):
    return pool.submit(resize, name).result()


async def heartbeat():
    for _ in range(20):
        await asyncio.sleep(0.02)


async def main():
    await asyncio.gather(*(heartbeat() for _ in range(6)), *(thumbnail(n) for n in range(4)))


asyncio.run(main())
