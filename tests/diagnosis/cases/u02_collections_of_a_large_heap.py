"""Full collections walk a cache of millions of objects while requests wait
(https://github.com/sgl-project/sglang/pull/9241, https://github.com/Klipper3d/klipper/pull/6794).
truth: the cache is loaded in pieces between requests; collections of the oldest generation take 50 to 400 ms
each on the loop's thread; the tickers are late by that."""
import asyncio
import gc
import time

CACHE = {}
PAUSES = []
begun = 0.0


def watch(phase, info):
    global begun
    if phase == "start":
        begun = time.perf_counter()
    elif info["generation"] == 2:
        PAUSES.append(time.perf_counter() - begun)


class Entry:
    def __init__(self, key):
        self.key = key
        self.tags = [key, {}]


def load_block(first):
    for key in range(first, first + 8000):
        CACHE[key] = Entry(key)


async def loader():
    for first in range(0, 640_000, 8000):
        load_block(first)
        await asyncio.sleep(0)


async def decode(n):
    late = 0.0
    for _ in range(60):
        since = time.perf_counter()
        await asyncio.sleep(0.02)
        late = max(late, time.perf_counter() - since - 0.02)
    return late


async def main():
    gc.callbacks.append(watch)
    late = await asyncio.gather(loader(), *(decode(n) for n in range(15)))
    print(f"{len(PAUSES)} full collections, longest {max(PAUSES):.3f} s, late {max(late[1:]):.3f} s")


asyncio.run(main())
