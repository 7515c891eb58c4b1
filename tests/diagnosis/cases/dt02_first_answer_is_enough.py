"""The first answer is enough, but `shutdown(wait=False)` cancels nothing: the interpreter runs all other jobs when the
program is over (https://github.com/python/cpython/issues/80961).
truth: the program is done after 0.3 s; then `MainThread` waits 2 s for jobs `probe` of the pool that had not begun.
"""

import time
from concurrent.futures import ThreadPoolExecutor, as_completed


def probe(host: int) -> int:
    time.sleep(0.3 if host == 0 else 0.5)
    return host


def first_answer(hosts: range) -> int:
    pool = ThreadPoolExecutor(4, thread_name_prefix="probe")
    try:
        for future in as_completed([pool.submit(probe, host) for host in hosts]):
            return future.result()
    finally:
        pool.shutdown(wait=False)
    raise RuntimeError("no host answered")


print(first_answer(range(18)))
