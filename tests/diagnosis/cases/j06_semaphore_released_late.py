"""Threads take a semaphore before they wait for a result that needs a permit, too
(after reports of nested `BoundedSemaphore`).
truth: both permits are with `resize_all`, which waits 1.1 s for `resize` in the pool; it needs one."""
import threading
import time
from concurrent.futures import ThreadPoolExecutor

permits = threading.BoundedSemaphore(2)
pool = ThreadPoolExecutor(4, "resize")


def resize():
    if permits.acquire(timeout=1.1):
        permits.release()


def resize_all():
    with permits:
        time.sleep(0.05)
        pool.submit(resize).result()


threads = [threading.Thread(target=resize_all, name=f"album-{n}") for n in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
