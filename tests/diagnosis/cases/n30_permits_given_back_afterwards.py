"""Submission is bounded by permits that the submitter gives back after all were submitted.
After https://github.com/aws/aws-parallelcluster-node/pull/461 and reports like it.

truth: `MainThread` waits 1.5 s in `submit_all` for a permit; only it would give one back, in `drain`."""
import threading, time
from concurrent.futures import ThreadPoolExecutor
sem = threading.Semaphore(4)
def job(n): time.sleep(0.02); return n
def submit_all(pool, n):
    out = []
    for i in range(n):
        if not sem.acquire(timeout=1.5):
            print("stuck at", i); break
        out.append(pool.submit(job, i))
    return out
def drain(fs):
    for f in fs:
        f.result(); sem.release()
with ThreadPoolExecutor(4) as pool:
    drain(submit_all(pool, 10))
