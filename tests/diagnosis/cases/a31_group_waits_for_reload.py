"""A TaskGroup is left while its watcher waits for a reload that nobody asks for
(https://github.com/python/cpython/issues/101581).
truth: `main` waits 1.4 s at the end of its group for `watch`, which waits for an Event nobody sets."""
import asyncio


async def watch(changed):
    await changed.wait()


async def step(n):
    await asyncio.sleep(0.1)


async def main():
    changed = asyncio.Event()
    try:
        async with asyncio.timeout(1.5):
            async with asyncio.TaskGroup() as group:
                group.create_task(watch(changed))
                for n in range(3):
                    group.create_task(step(n))
    except TimeoutError:
        print("truth timed out")


asyncio.run(main())
