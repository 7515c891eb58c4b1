"""HEALTHY: greenlets in a pool that is large enough, with a queue between two stages."""
import gevent
from gevent.pool import Pool
from gevent.queue import Queue

pages = Queue(50)


def fetch(url):
    gevent.sleep(0.02)
    pages.put(url)


def index():
    while (page := pages.get()) is not None:
        gevent.sleep(0.001)


indexer = gevent.spawn(index)
pool = Pool(20)
for number in range(60):
    pool.spawn(fetch, number)
    gevent.sleep(0.01)
pool.join()
pages.put(None)
indexer.join()
