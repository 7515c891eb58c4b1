"""Two calls of sync_to_async share one thread; a third brings its own pool."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from asgiref.sync import sync_to_async


def work() -> None:
    time.sleep(0.01)


async def call() -> None:
    await sync_to_async(work)()  #: await executor (asgiref) slots=1


async def main() -> None:
    await asyncio.gather(call(), call())
    with ThreadPoolExecutor(3) as pool:
        own = sync_to_async(work, thread_sensitive=False, executor=pool)
        await own()  #: await executor (asgiref) slots=3


asyncio.run(main())
