"""A home-made pool asks the server whether a connection still lives while it has its lock, which
also who gives one back needs.

After https://github.com/all-of-us/raw-data-repository/pull/445
"""
import threading
import time


class Pool:
    def __init__(self, size):
        self.lock, self.free = threading.Lock(), [object() for _ in range(size)]
        self.slots = threading.Semaphore(size)

    def take(self):
        self.slots.acquire()
        with self.lock:
            time.sleep(0.09)  # ping
            return self.free.pop()

    def give_back(self, one):
        with self.lock:
            self.free.append(one)
        self.slots.release()


pool = Pool(6)


def serve(n):
    time.sleep(n * 0.02)
    for _ in range(4):
        one = pool.take()
        time.sleep(0.01)
        pool.give_back(one)
        time.sleep(0.03)


threads = [threading.Thread(target=serve, args=(n,), name=f"serve-{n}") for n in range(6)]
for t in threads:
    t.start()
for t in threads:
    t.join()
