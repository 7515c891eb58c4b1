"""A pool made of a semaphore and a deque: connections are kept while a retry backs off.
truth: the home-made pool has 2 connections (Semaphore and a deque); `sync_feed` keeps one asleep while it
backs off (`backoff`, 0.15 s); 6 threads wait for a permit in `borrow`."""
import collections
import contextlib
import random
import threading
import time


class Pool:
    def __init__(self, size):
        self.permits = threading.Semaphore(size)
        self.free = collections.deque({"id": n} for n in range(size))

    @contextlib.contextmanager
    def borrow(self):
        self.permits.acquire()
        connection = self.free.popleft()
        try:
            yield connection
        finally:
            self.free.append(connection)
            self.permits.release()


def backoff(attempt):
    time.sleep(0.05 * 2**attempt)


def send(connection, rnd):
    time.sleep(0.004)
    return rnd.random() < 0.5


def sync_feed(pool, seed):
    rnd = random.Random(seed)
    for _ in range(6):
        with pool.borrow() as connection:
            for attempt in range(3):
                if send(connection, rnd):
                    break
                backoff(attempt)
        time.sleep(0.01)


def show_page(pool, seed):
    rnd = random.Random(seed)
    for _ in range(12):
        with pool.borrow() as connection:
            send(connection, rnd)
        sum(range(3000))


pool = Pool(2)
threads = [threading.Thread(target=sync_feed, args=(pool, n), name=f"sync-{n}") for n in range(4)]
threads += [threading.Thread(target=show_page, args=(pool, n), name=f"page-{n}") for n in range(4)]
for t in threads:
    t.start()
for t in threads:
    t.join()
