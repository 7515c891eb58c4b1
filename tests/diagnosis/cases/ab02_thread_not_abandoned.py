"""A time-out around a thread of trio takes effect only when the thread has ended
(after questions about threads of trio that are not abandoned).
truth: `fetch` gives 0.1 s to `query` (time.sleep 1.2 s in a worker thread); move_on_after ends after 1.2 s."""
import time

import trio


def query(n):
    time.sleep(1.2)
    return n


async def fetch(n):
    with trio.move_on_after(0.1):
        return await trio.to_thread.run_sync(query, n)


async def main():
    begun = time.monotonic()
    async with trio.open_nursery() as nursery:
        for n in range(3):
            nursery.start_soon(fetch, n)
    print("truth took", time.monotonic() - begun)


trio.run(main)
