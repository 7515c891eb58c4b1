"""Calls that never return in time take the workers of the default executor one by one
(https://github.com/python/cpython/issues/87185 is of calls in threads that cannot be cancelled).
truth: all 3 workers stand in os.read in `watch`; 5 `hash_password` never begin within 1.2 s."""
import asyncio
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor


def watch(pipe):
    return os.read(pipe, 1)


def hash_password(password):
    return hashlib.sha256(password).digest()


async def log_in(number):
    try:
        async with asyncio.timeout(1.2):
            return await asyncio.to_thread(hash_password, b"secret %d" % number)
    except TimeoutError:
        return "gave up"


async def main():
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(3, thread_name_prefix="io"))
    pipes = [os.pipe() for _ in range(3)]
    watchers = [asyncio.create_task(asyncio.to_thread(watch, pipe)) for pipe, _ in pipes]
    await asyncio.sleep(0.05)
    print("truth", await asyncio.gather(*(log_in(n) for n in range(5))))
    for _, pipe in pipes:
        os.write(pipe, b"x")
    await asyncio.gather(*watchers)


asyncio.run(main())
