"""Two kinds of jobs share eight workers, which suffice."""
import threading
import time
from concurrent.futures import ThreadPoolExecutor

pool = ThreadPoolExecutor(8)


def report():
    time.sleep(0.3)


def lookup():
    time.sleep(0.01)


def caller(n):
    time.sleep(n * 0.07)
    for _ in range(5):
        pool.submit(report if n % 3 == 0 else lookup).result()
        time.sleep(0.05)


threads = [threading.Thread(target=caller, args=(n,), name=f"caller-{n}") for n in range(8)]
for t in threads:
    t.start()
for t in threads:
    t.join()
pool.shutdown()
