"""HEALTHY: main shows how far jobs are, ten times a second, until all have ended."""
import time
from concurrent.futures import ThreadPoolExecutor


def download(number):
    time.sleep(0.1)
    return number


with ThreadPoolExecutor(4) as pool:
    futures = [pool.submit(download, n) for n in range(24)]
    while not all(future.done() for future in futures):
        time.sleep(0.1)
    print(sum(future.result() for future in futures))
