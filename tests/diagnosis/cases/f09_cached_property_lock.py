"""One lock for all keys of a cache: loading one key holds up readers of all others
(https://github.com/tkem/cachetools/issues/294).
truth: `get` has the lock while `load` sleeps 120 ms; 6 threads pass one at a time."""
import threading
import time


class Cache:
    def __init__(self):
        self.lock, self.values = threading.RLock(), {}

    def get(self, key):
        with self.lock:
            if key not in self.values:
                self.values[key] = load(key)
            return self.values[key]


def load(key):
    time.sleep(0.12)
    return key


cache = Cache()
threads = [threading.Thread(target=cache.get, args=(n,), name=f"req-{n}") for n in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
