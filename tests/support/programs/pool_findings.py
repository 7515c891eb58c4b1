"""Pools of processes that cost more than they do, one fault each; the argument says which."""

import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor


class SlowToPickle:
    def __reduce__(self):
        time.sleep(0.05)
        return int, (0,)


def give(value):
    return value


def pickling(context):
    """Each job carries 20 MB there and back, and does nothing with it."""
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        for _ in range(8):
            pool.submit(give, bytes(20_000_000)).result()


def waiting(context):
    """Two workers wait while one thread of their parent pickles jobs."""
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        for future in [pool.submit(give, SlowToPickle()) for _ in range(12)]:
            future.result()


def large(context):
    """One job at a time for six workers."""
    with context.Pool(6) as pool:
        for _ in range(30):
            pool.apply(time.sleep, (0.04,))


def asleep(context):
    """The main thread waits for a job that sleeps, one way and another."""
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        pool.submit(time.sleep, 0.3).result()
    with context.Pool(1) as pool:
        list(pool.imap(time.sleep, [0.3]))


if __name__ == "__main__":
    globals()[sys.argv[1]](multiprocessing.get_context("fork"))
