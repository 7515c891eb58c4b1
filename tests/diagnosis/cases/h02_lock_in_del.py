"""`__del__` takes a lock that the thread may have already (https://bugs.python.org/issue14976).
truth: a collection inside `put` runs `Handle.__del__`, which waits 1 s for the lock of `put`."""
import gc
import threading

lock, free = threading.Lock(), []


class Handle:
    def __init__(self):
        self.me = self

    def __del__(self):
        if lock.acquire(timeout=1):
            free.append(1)
            lock.release()


def put():
    with lock:
        gc.collect()


Handle()
put()
