"""HEALTHY: short jobs that sleep once each, in an executor whose thread gevent has patched, and in gevent's own threads."""
from gevent import monkey; monkey.patch_all()
import time
from concurrent.futures import ThreadPoolExecutor

from gevent.threadpool import ThreadPool

really_sleep = monkey.get_original("time", "sleep")


def ask(n):
    time.sleep(0.001)
    return n


def read(n):
    really_sleep(0.001)
    return n


with ThreadPoolExecutor(1) as pool:
    print(sum(pool.map(ask, range(700))))
print(sum(ThreadPool(2).map(read, range(2000))))
