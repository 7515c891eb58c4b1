"""A process is killed while it has a multiprocessing.Lock; the others wait for ever
(https://github.com/python/cpython/issues/76266).
truth: `writer` was killed with the lock; `reader` waits 1 s for it in vain."""
import multiprocessing
import os
import signal
import time


def writer(lock, taken):
    lock.acquire()
    taken.set()
    os.kill(os.getpid(), signal.SIGKILL)


def reader(lock):
    if not lock.acquire(timeout=1.0):
        print("truth: gave up")


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    lock, taken = context.Lock(), context.Event()
    first = context.Process(target=writer, args=(lock, taken), name="writer")
    first.start()
    taken.wait()
    first.join()
    second = context.Process(target=reader, args=(lock,), name="reader")
    second.start()
    second.join()
