"""gevent: the thread pool of two is full of slow work, and quick look-ups wait behind it.
truth: both threads of the gevent ThreadPool(2) run `resize` (asleep 0.3 s); greenlets `lookup` wait for a
thread."""
import time

import gevent
from gevent.threadpool import ThreadPool

pool = ThreadPool(2)


def resize(n):
    time.sleep(0.3)
    return n


def read_setting(name):
    time.sleep(0.001)
    return name


def upload(n):
    for k in range(3):
        pool.apply(resize, (k,))
        gevent.sleep(0.01)


def lookup(n):
    for _ in range(6):
        t = time.monotonic()
        pool.apply(read_setting, ("a",))
        waits.append(time.monotonic() - t)
        gevent.sleep(0.05)


waits = []
jobs = [gevent.spawn(upload, n) for n in range(4)] + [gevent.spawn(lookup, n) for n in range(5)]
gevent.joinall(jobs)
print("worst", round(max(waits), 2))
