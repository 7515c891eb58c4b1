"""The pool raises when it is exhausted, and the threads of a sync try again after a nap
(https://github.com/jina-ai/executor-hnsw-postgres/issues/10).
truth: 8 `sync-N` share 2 connections, kept 150 ms each by `copy_vectors`, asleep in `index`; the others ask again every 20 ms in `connection` and waited 0.8 s on average."""
import sqlite3
import threading
import time
from contextlib import contextmanager


class PoolError(Exception):
    pass


class ThreadedPool:
    """As psycopg2's: getconn raises at once when all are in use."""

    def __init__(self, size):
        self.lock = threading.Lock()
        self.free = [sqlite3.connect(":memory:", check_same_thread=False) for _ in range(size)]

    def getconn(self):
        with self.lock:
            if not self.free:
                raise PoolError("connection pool exhausted")
            return self.free.pop()

    def putconn(self, connection):
        with self.lock:
            self.free.append(connection)


pool = ThreadedPool(2)
waited = []


@contextmanager
def connection():
    begun = time.perf_counter()
    while True:
        try:
            taken = pool.getconn()
            break
        except PoolError:
            time.sleep(0.02)
    waited.append(time.perf_counter() - begun)
    try:
        yield taken
    finally:
        pool.putconn(taken)


def index(rows):
    time.sleep(0.15)


def copy_vectors():
    with connection() as db:
        index(db.execute("select 1").fetchall())


def sync():
    for _ in range(3):
        copy_vectors()


threads = [threading.Thread(target=sync, name=f"sync-{n}") for n in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"truth {len(waited)} got one after {sum(waited) / len(waited):.2f} s each")
