"""Starting a process waits on the loop until the child has called exec
(https://github.com/python/cpython/issues/146181).
truth: `create_subprocess_exec` in `convert` blocks the loop for 150 ms, 5 times; `tick` is late."""
import asyncio
import time


async def convert():
    process = await asyncio.create_subprocess_exec("true", preexec_fn=lambda: time.sleep(0.15))
    await process.wait()


async def tick():
    for _ in range(60):
        await asyncio.sleep(0.01)


async def main():
    await asyncio.gather(*(tick() for _ in range(4)), *(convert() for _ in range(5)))


asyncio.run(main())
