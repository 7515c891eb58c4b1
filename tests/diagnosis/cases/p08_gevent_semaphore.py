"""Greenlets keep the only permit of a semaphore while they wait for a server
(https://github.com/gevent/gevent/issues/743).
truth: 12 greenlets `fetch` share 1 permit; each has it for 80 ms asleep in `request`."""
import gevent
from gevent.lock import BoundedSemaphore


class Gateway:
    def __init__(self, limit):
        self.limit = BoundedSemaphore(limit)

    def request(self, path):
        gevent.sleep(0.08)
        return path

    def fetch(self, path):
        with self.limit:
            return self.request(path)


gateway = Gateway(1)
gevent.joinall([gevent.spawn(gateway.fetch, f"/{n}") for n in range(12)])
