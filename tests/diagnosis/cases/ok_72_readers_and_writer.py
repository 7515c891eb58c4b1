"""HEALTHY: a fair lock for readers and writers; a writer now and then waits for a short read."""
import threading
import time


class RWLock:
    def __init__(self):
        self.cond = threading.Condition()
        self.readers = self.writers = 0

    def read(self, what):
        with self.cond:
            while self.writers:
                self.cond.wait()
            self.readers += 1
        try:
            return what()
        finally:
            with self.cond:
                self.readers -= 1
                self.cond.notify_all()

    def write(self, what):
        with self.cond:
            self.writers += 1
            while self.readers:
                self.cond.wait()
            try:
                return what()
            finally:
                self.writers -= 1
                self.cond.notify_all()


lock = RWLock()
table = {"n": 0}


def look():
    time.sleep(0.002)
    return table["n"]


def change():
    table["n"] += 1


def read():
    for _ in range(60):
        lock.read(look)
        time.sleep(0.01)


def write():
    for _ in range(8):
        time.sleep(0.08)
        lock.write(change)


threads = [threading.Thread(target=read, name=f"reader-{n}") for n in range(3)]
threads.append(threading.Thread(target=write, name="writer"))
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
