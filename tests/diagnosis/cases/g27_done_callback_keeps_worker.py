"""A callback of a future runs in the worker that ran the job, and uploads: the next look-ups wait
for that worker.

After https://github.com/dask/distributed/pull/656
"""
import threading
import time
from concurrent.futures import ThreadPoolExecutor

pool = ThreadPoolExecutor(2, thread_name_prefix="work")


def render(n):
    time.sleep(0.02)
    return n


def upload(_):
    time.sleep(0.35)


def lookup(n):
    time.sleep(0.005)


def nightly():
    for n in range(8):
        pool.submit(render, n).add_done_callback(upload)
        time.sleep(0.1)


def page(n):
    time.sleep(0.15 + n * 0.11)
    pool.submit(lookup, n).result()


threads = [threading.Thread(target=nightly, name="nightly")]
threads += [threading.Thread(target=page, args=(n,), name=f"page-{n}") for n in range(8)]
for t in threads:
    t.start()
for t in threads:
    t.join()
pool.shutdown()
