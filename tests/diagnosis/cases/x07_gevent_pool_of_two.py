"""Two workers of a gevent pool do uploads; thumbnails wait in `spawn` until one is free
(https://github.com/gevent/gevent/issues/743 has a semaphore that is kept in the same way).
truth: `Pool(2)` is full of `upload`, 0.25 s asleep each; `web` waits up to 0.3 s in `spawn`."""
from gevent import monkey; monkey.patch_all()
import gevent, time
from gevent.pool import Pool
pool = Pool(2)
late = []
def upload(n): gevent.sleep(0.3)
def thumbnail(t): late.append(time.monotonic() - t)
def accept_jobs():
    for i in range(12):
        pool.spawn(upload, i); gevent.sleep(0.01)
def web(n):
    for _ in range(4):
        pool.spawn(thumbnail, time.monotonic()); gevent.sleep(0.05)
gs = [gevent.spawn(accept_jobs)] + [gevent.spawn(web, i) for i in range(4)]
gevent.joinall(gs); pool.join()
print(max(late))
