"""CLEAN: a batch of 60 downloads over four workers; the main thread waits for all of them."""
import concurrent.futures
import time


def download(n):
    time.sleep(0.05)
    return n


with concurrent.futures.ThreadPoolExecutor(4) as pool:
    print(sum(pool.map(download, range(60))))
