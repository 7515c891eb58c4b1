"""Batches of jobs of about equal length, gathered with as_completed: the caller waits for
what it asked for."""

import hashlib
import random
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

rng = random.Random(5)


def fetch(n, delay):
    time.sleep(delay)
    return hashlib.sha256(b"x" * 20_000 + bytes(n)).hexdigest()


with ThreadPoolExecutor(6, thread_name_prefix="fetch") as pool:
    for batch in range(12):
        jobs = [pool.submit(fetch, n, 0.08 + rng.random() * 0.06) for n in range(6)]
        found = [job.result() for job in as_completed(jobs)]
        time.sleep(0.02)
print(len(found))
