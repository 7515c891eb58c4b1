"""After cccuun.com (why your Python async code is slow): a default executor of one thread.

Truth: the default executor has one thread, and each request gives its key back through
`asyncio.to_thread(release)`, 40 ms each: the requests queue for the one thread.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor


def release(key):
    time.sleep(0.04)
    return key


class Key:
    def __init__(self, name):
        self.name = name

    async def __aenter__(self):
        return self.name

    async def __aexit__(self, *exc):
        await asyncio.to_thread(release, self.name)


async def confirm(number):
    async with Key(f"pay:{number}"):
        await asyncio.sleep(0.01)


async def main():
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(max_workers=1))
    late = 0
    for _ in range(4):
        tasks = [asyncio.create_task(confirm(number)) for number in range(12)]
        done, pending = await asyncio.wait(tasks, timeout=0.25)
        late += len(pending)
        await asyncio.gather(*tasks)
    print(late)


asyncio.run(main())
