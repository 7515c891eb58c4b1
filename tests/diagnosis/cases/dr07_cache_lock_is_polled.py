"""diskcache's `Lock` around a slow fill: four others ask SQLite for it each millisecond
(https://github.com/grantjenks/python-diskcache/issues/85 has such threads).
truth: three fills of 0.4 s, each under the lock; the others wait and poll.
"""

import tempfile
import threading
import time

import diskcache


class Prices:
    def __init__(self):
        self.cache = diskcache.Cache(tempfile.mkdtemp())

    def fetch(self, key):
        time.sleep(0.4)
        return len(key)

    def load(self, key):
        with diskcache.Lock(self.cache, f"lock-{key}"):
            if key not in self.cache:
                self.cache[key] = self.fetch(key)
            return self.cache[key]


def loader(prices, i):
    for k in range(3):
        prices.load(f"sku-{k}-{'abc'[k % 3]}")


def main():
    prices = Prices()
    began = time.monotonic()
    ts = [threading.Thread(target=loader, args=(prices, i), name=f"loader-{i}") for i in range(5)]
    for t in ts:
        t.start()
    for t in ts:
        t.join()
    print("truth took", round(time.monotonic() - began, 2))


main()
