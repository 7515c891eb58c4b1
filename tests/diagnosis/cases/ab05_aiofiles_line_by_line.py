"""A file is read line by line with aiofiles: each line is a job of the default executor
(after questions about aiofiles that is slower than a plain file).
truth: `load` awaits 30,000 readline calls one by one in the executor, most of it hand-over."""
import asyncio
import os
import tempfile
import time

import aiofiles


async def load(path):
    total = 0
    async with aiofiles.open(path) as file:
        async for line in file:
            total += len(line)
    return total


async def main():
    path = os.path.join(tempfile.mkdtemp(), "rows.csv")
    with open(path, "w") as file:
        file.writelines(f"{n},{n * n}\n" for n in range(30_000))
    begun = time.monotonic()
    await load(path)
    print("truth took", time.monotonic() - begun)


asyncio.run(main())
