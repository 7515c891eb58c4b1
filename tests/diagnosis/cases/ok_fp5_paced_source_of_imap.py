"""HEALTHY: readings come every 50 ms, and a pool of processes works on each as it comes, by `imap_unordered` over a generator."""
import time
from multiprocessing import get_context


def convert(reading):
    time.sleep(0.02)
    return reading * 2


def readings():
    for number in range(45):
        time.sleep(0.05)
        yield number


if __name__ == "__main__":
    with get_context("fork").Pool(2) as pool:
        print(sum(pool.imap_unordered(convert, readings())))
