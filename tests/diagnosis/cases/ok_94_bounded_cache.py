"""Healthy: a cache with a bound, filled and refilled by 4 threads."""
import functools
import threading
import time


@functools.lru_cache(maxsize=64)
def page(n):
    return bytes(20_000) + str(n).encode()


def serve(seed):
    for n in range(400):
        page((n * seed) % 200)
        time.sleep(0.002)


threads = [threading.Thread(target=serve, args=(seed,), name=f"web-{seed}") for seed in (3, 5, 7, 11)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
