"""Healthy: two processes for 40 jobs of 20 ms."""
import time
from concurrent.futures import ProcessPoolExecutor


def shrink(n):
    end = time.process_time() + 0.02
    while time.process_time() < end:
        pass
    return n


if __name__ == "__main__":
    with ProcessPoolExecutor(2) as pool:
        print(sum(pool.map(shrink, range(40))))
