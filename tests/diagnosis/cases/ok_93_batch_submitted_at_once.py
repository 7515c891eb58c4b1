"""HEALTHY: a batch of 400 jobs is submitted to an executor at once and worked off in a second; a pipeline ends with its work."""
import time
from concurrent.futures import ThreadPoolExecutor


def fetch(n):
    time.sleep(0.02)
    return n


with ThreadPoolExecutor(8) as pool:
    futures = []
    for n in range(400):
        futures.append(pool.submit(fetch, n))
        if n % 40 == 0:
            time.sleep(0.01)
    print(sum(future.result() for future in futures))
