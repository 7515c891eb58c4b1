"""Uploads in threads take the default executor of uvloop's loop, so thumbnails wait for a worker
(https://github.com/aio-libs/aiohttp/issues/3080 is of delays with one executor for all).
truth: all 3 workers sleep in `upload`, 0.35 s each; `stat_file` waits up to 1 s for one."""
import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor

import uvloop


def upload(number):
    time.sleep(0.35)


def stat_file(path):
    return os.stat(path).st_size


async def backup():
    await asyncio.gather(*(asyncio.to_thread(upload, n) for n in range(9)))


async def listing():
    await asyncio.sleep(0.02)
    for _ in range(3):
        await asyncio.to_thread(stat_file, __file__)


async def main():
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(3, thread_name_prefix="default"))
    await asyncio.gather(backup(), listing(), listing())


uvloop.run(main())
