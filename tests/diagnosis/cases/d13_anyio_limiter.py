"""A limiter of two threads for slow and quick calls alike.
truth: two `render` at a time sleep 0.2 s; `lookup` waits up to 0.6 s for a token."""
import time

import anyio
import anyio.to_thread


def render():
    time.sleep(0.2)


def lookup():
    return 1


async def main():
    limiter = anyio.CapacityLimiter(2)

    async def call(function):
        before = time.perf_counter()
        await anyio.to_thread.run_sync(function, limiter=limiter)
        late.append((function.__name__, time.perf_counter() - before))

    late = []
    async with anyio.create_task_group() as group:
        for _ in range(6):
            group.start_soon(call, render)
        await anyio.sleep(0.01)
        for _ in range(3):
            group.start_soon(call, lookup)
    print(f"truth lookup took {max(s for n, s in late if n == 'lookup') * 1e3:.0f} ms")


anyio.run(main)
