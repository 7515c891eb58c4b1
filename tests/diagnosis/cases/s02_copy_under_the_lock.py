"""A cache copies its whole table under its lock for each reader
(after reports of slow configuration caches).
truth: 5 threads `api-N` wait for the RLock in `snapshot`; the holders compute in `deepcopy`."""
import copy
import threading
import time


class Cache:
    def __init__(self):
        self.lock = threading.RLock()
        self.table = {n: {"name": f"host {n}", "tags": ["a", "b"]} for n in range(2500)}

    def snapshot(self):
        with self.lock:
            return copy.deepcopy(self.table)


cache = Cache()


def serve():
    for _ in range(8):
        cache.snapshot()
        time.sleep(0.002)


threads = [threading.Thread(target=serve, name=f"api-{n}") for n in range(5)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
