"""A home-made pool waits for a connection while it holds its own lock: all others queue for that lock, whose
wait has no time-out (https://github.com/pycassa/pycassa/issues/184).
truth: 2 connections, each kept 150 ms asleep in `query`; one `req-N` waits in Queue.get in `Pool.take` with the
pool's lock, the others wait for the lock."""
import queue
import threading
import time


class Pool:
    def __init__(self, size):
        self.lock, self.free = threading.Lock(), queue.Queue()
        for n in range(size):
            self.free.put(n)

    def take(self):
        with self.lock:
            return self.free.get(timeout=2)

    def give(self, connection):
        self.free.put(connection)


pool = Pool(2)


def query(connection):
    time.sleep(0.15)


def request():
    for _ in range(3):
        connection = pool.take()
        try:
            query(connection)
        finally:
            pool.give(connection)
        time.sleep(0.01)


threads = [threading.Thread(target=request, name=f"req-{n}") for n in range(8)]
for t in threads:
    t.start()
for t in threads:
    t.join()
