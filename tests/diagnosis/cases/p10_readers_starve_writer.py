"""Readers overlap, so that the writer of a lock for readers and writers never gets its turn
(https://github.com/chroma-core/chroma/pull/7632).
truth: `reload` waits 1.5 s in `acquire_write` (Condition.wait) while 4 readers follow each other."""
import threading
import time


class RWLock:
    def __init__(self):
        self.cond = threading.Condition()
        self.readers = 0

    def acquire_read(self):
        with self.cond:
            self.readers += 1

    def release_read(self):
        with self.cond:
            self.readers -= 1
            if self.readers == 0:
                self.cond.notify_all()

    def acquire_write(self):
        self.cond.acquire()
        while self.readers:
            self.cond.wait()

    def release_write(self):
        self.cond.release()


lock = RWLock()


def read(offset, until):
    time.sleep(offset)
    while time.monotonic() < until:
        lock.acquire_read()
        time.sleep(0.1)
        lock.release_read()


def reload_config():
    lock.acquire_write()
    time.sleep(0.01)
    lock.release_write()


until = time.monotonic() + 1.6
threads = [threading.Thread(target=read, args=(n * 0.03, until), name=f"reader-{n}") for n in range(4)]
for thread in threads:
    thread.start()
time.sleep(0.15)
writer = threading.Thread(target=reload_config, name="reload")
writer.start()
for thread in [*threads, writer]:
    thread.join()
