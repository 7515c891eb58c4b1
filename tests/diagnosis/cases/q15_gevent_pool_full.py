"""The pool of a crawler has room for 2 greenlets; slow pages keep it full
(https://github.com/gevent/gevent/issues/1479).
truth: the main greenlet waits in Pool.spawn in `crawl` for one of 2 greenlets, which sleep 0.15 s in `fetch`."""
import gevent
from gevent.pool import Pool


def fetch(url):
    gevent.sleep(0.15)
    return url


def crawl(urls, size):
    pool = Pool(size)
    for url in urls:
        pool.spawn(fetch, url)
    pool.join()


def health():
    for _ in range(20):
        gevent.sleep(0.05)


checker = gevent.spawn(health)
crawl([f"/{n}" for n in range(14)], 2)
checker.join()
