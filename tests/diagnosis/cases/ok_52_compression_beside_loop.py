"""CLEAN: a worker thread compresses with zlib, which releases the GIL; a watcher polls a file."""
import asyncio
import os
import zlib

data = os.urandom(4_000_000)


async def tick():
    for _ in range(60):
        await asyncio.sleep(0.01)


async def watch():
    for _ in range(12):
        os.stat(__file__)
        await asyncio.sleep(0.05)


async def main():
    work = (asyncio.to_thread(zlib.compress, data) for _ in range(2))
    await asyncio.gather(tick(), watch(), *work)


asyncio.run(main())
