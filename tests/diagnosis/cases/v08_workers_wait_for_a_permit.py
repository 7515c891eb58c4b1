"""Calls to one slow upstream wait for their permit inside workers, so that calls to the others find
no worker (https://github.com/snad-space/ztf-viewer/pull/676).
truth: all 4 workers are in `call_alerce`, 3 of them waiting for its only permit; `call_panstarrs`
is queued for up to 1.2 s."""
import threading
import time
from concurrent.futures import ThreadPoolExecutor

pool = ThreadPoolExecutor(4, thread_name_prefix="upstream")
alerce = threading.Semaphore(1)
late = []


def call_alerce(n):
    with alerce:
        time.sleep(0.25)
    return n


def call_panstarrs(since):
    late.append(time.monotonic() - since)
    time.sleep(0.01)
    return 0


def page(n):
    jobs = [pool.submit(call_panstarrs, time.monotonic())]
    if n % 2:
        jobs.append(pool.submit(call_alerce, n))
    return sum(job.result() for job in jobs)


def visitor(n):
    for k in range(3):
        page(n + k)
        time.sleep(0.05)


def main():
    visitors = [threading.Thread(target=visitor, args=(n,), name=f"visitor-{n}") for n in range(8)]
    for one in visitors:
        one.start()
    for one in visitors:
        one.join()
    pool.shutdown()
    print("truth", f"{max(late):.2f} s late")


main()
