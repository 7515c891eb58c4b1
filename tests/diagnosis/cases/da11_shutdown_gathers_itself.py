"""After github.com/conjure-up/conjure-up/pull/1068 and many questions: the shutdown gathers all tasks, itself among them.

Truth: `shutdown` runs in a task of its own and awaits `gather(*all_tasks())`: the workers end within 0.2 s, what is
left is that very task and `main`, which waits for it; nothing happens until `main` gives up after 3 s.
"""

import asyncio


async def worker(stop, done):
    while not stop.is_set():
        await asyncio.sleep(0.1)
    done.append(1)


async def shutdown(stop):
    stop.set()
    pending = [task for task in asyncio.all_tasks() if not task.done()]
    await asyncio.gather(*pending, return_exceptions=True)


async def main():
    stop, done = asyncio.Event(), []
    workers = [asyncio.create_task(worker(stop, done), name=f"worker-{n}") for n in range(3)]
    await asyncio.sleep(0.5)
    closing = asyncio.create_task(shutdown(stop), name="shutdown")
    await asyncio.wait([closing], timeout=3.0)
    print("truth", len(done), "of", len(workers), "workers ended, shutdown done:", closing.done())


try:
    asyncio.run(main())
except RecursionError:
    pass
