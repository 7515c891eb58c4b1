"""Greenlets of a full pool start others in the same pool
(https://github.com/gevent/gevent/issues/368).
truth: Pool(2): both greenlets in crawl wait (spawn) for a free slot of their own pool, 1.5 s
time-out. deadlock."""
import gevent
from gevent.pool import Pool

pool = Pool(2)


def fetch(url): gevent.sleep(0.01); return url


def crawl(site):
    gevent.sleep(0.02)
    pages = [pool.spawn(fetch, f"{site}/{i}") for i in range(3)]
    return [p.get() for p in pages]


jobs = [pool.spawn(crawl, s) for s in ("a", "b")]
gevent.joinall(jobs, timeout=1.5)
print("truth done", sum(j.ready() for j in jobs))
