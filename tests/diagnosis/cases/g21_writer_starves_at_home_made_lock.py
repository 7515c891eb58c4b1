"""A lock for readers and writers made of a condition prefers readers: the only writer waits while
there is always one who reads.

After https://github.com/chroma-core/chroma/pull/7632
"""
import threading
import time


class ReadWriteLock:
    def __init__(self):
        self.changed, self.readers = threading.Condition(), 0

    def acquire_read(self):
        with self.changed:
            self.readers += 1

    def release_read(self):
        with self.changed:
            self.readers -= 1
            if not self.readers:
                self.changed.notify_all()

    def acquire_write(self):
        self.changed.acquire()
        while self.readers:
            self.changed.wait()

    def release_write(self):
        self.changed.release()


index, stop = ReadWriteLock(), time.monotonic() + 1.8


def query(n):
    time.sleep(n * 0.03)
    while time.monotonic() < stop:
        index.acquire_read()
        time.sleep(0.1)
        index.release_read()
        time.sleep(0.01)


def insert():
    time.sleep(0.15)
    index.acquire_write()
    time.sleep(0.01)
    index.release_write()


threads = [threading.Thread(target=query, args=(n,), name=f"query-{n}") for n in range(4)]
threads.append(threading.Thread(target=insert, name="insert"))
for t in threads:
    t.start()
for t in threads:
    t.join()
