"""Healthy: gevent greenlets with a queue, a pool and an event, and yields in a long calculation."""
import hashlib

import gevent
import gevent.event
import gevent.pool
import gevent.queue

work, done = gevent.queue.Queue(maxsize=20), gevent.event.Event()


def produce():
    for n in range(200):
        work.put(n)
        gevent.sleep(0.004)
    for _ in range(4):
        work.put(None)


def consume():
    while (n := work.get()) is not None:
        hashlib.sha256(str(n).encode() * 500).hexdigest()
        gevent.sleep(0.01)


def rehash():
    for n in range(200):
        hashlib.sha256(bytes(50_000)).hexdigest()
        if n % 10 == 0:
            gevent.sleep(0)
    done.set()


pool = gevent.pool.Pool(8)
pool.spawn(produce)
for _ in range(4):
    pool.spawn(consume)
pool.spawn(rehash)
pool.spawn(done.wait)
pool.join()
