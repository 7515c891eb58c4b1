"""Handlers take a threading.Lock that a thread keeps while it writes a file
(after reports of a cache that is shared by a thread and a loop).
truth: `Cache.get` blocks the loop up to 120 ms for the lock that `saver` has, asleep in `save`."""
import asyncio
import threading
import time


class Cache:
    def __init__(self):
        self.lock, self.values, self.stopped = threading.Lock(), {}, False

    def get(self, key):
        with self.lock:
            return self.values.get(key)

    def save(self):
        while not self.stopped:
            with self.lock:
                time.sleep(0.12)
            time.sleep(0.03)


async def handle(cache, number):
    for n in range(6):
        cache.get(n)
        await asyncio.sleep(0.04)


async def main():
    cache = Cache()
    saver = threading.Thread(target=cache.save, name="saver")
    saver.start()
    await asyncio.gather(*(handle(cache, number) for number in range(8)))
    cache.stopped = True
    saver.join()


asyncio.run(main())
