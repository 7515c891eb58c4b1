"""A session object is guarded by an RLock which is kept over the slow call to the server
(https://github.com/gevent/gevent/issues/1479).
wanted: `refresh`/`call` holds the RLock 0.25 s asleep (sleep = upstream); 5 others wait for it"""
from gevent import monkey; monkey.patch_all()
import gevent, time
from gevent.lock import RLock


class Session:
    def __init__(self): self.lock = RLock()

    def call(self, n):
        with self.lock:
            self.refresh()
            return n

    def refresh(self):
        with self.lock:
            time.sleep(0.2)


def worker(session, n):
    for i in range(2):
        session.call(n)

session = Session()
t = time.monotonic()
gevent.joinall([gevent.spawn(worker, session, n) for n in range(5)])
print("truth", time.monotonic() - t)
