"""Healthy: four threads compress pages, which releases the GIL; the main thread collects the results."""
import os
import zlib
from concurrent.futures import ThreadPoolExecutor, as_completed


def pack(n):
    return len(zlib.compress(os.urandom(200_000) + bytes(600_000), 6))


with ThreadPoolExecutor(4, thread_name_prefix="pack") as pool:
    total = sum(done.result() for done in as_completed(pool.submit(pack, n) for n in range(60)))
print(total)
