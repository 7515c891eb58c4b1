"""HEALTHY: maps with more items than gevent's pools have workers: their caller waits for all results anyway."""
import time

import gevent
from gevent.pool import Pool
from gevent.threadpool import ThreadPool


def fetch(page):
    gevent.sleep(0.03)
    return page


def resize(picture):
    time.sleep(0.03)
    return picture


print(len(Pool(4).map(fetch, range(120))))
print(sum(Pool(5).imap_unordered(fetch, range(120))))
print(len(ThreadPool(4).map(resize, range(120))))
print(sum(ThreadPool(5).imap(resize, range(120))))
