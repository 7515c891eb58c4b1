"""CLEAN: an executor for each of three batches, ended by `with`."""
import concurrent.futures
import time


def convert(n):
    time.sleep(0.03)
    return n


for _ in range(3):
    with concurrent.futures.ThreadPoolExecutor(8, thread_name_prefix="convert") as pool:
        list(pool.map(convert, range(40)))
