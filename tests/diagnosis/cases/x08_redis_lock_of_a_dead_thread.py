"""A redis lock is not given back by a job that fails; others poll it until its own time is over
(https://github.com/redis/redis-py/issues/629 is one of many reports).
truth: 3 `worker-N` poll 1.7 s in `rebuild`; `first` took the lock there and ended."""
import os, threading, time, redis
r = redis.Redis.from_url(os.environ["REDIS_URL"])
def rebuild(fail=False):
    lock = r.lock("rebuild", timeout=1.8, sleep=0.05)
    lock.acquire()
    time.sleep(0.1)
    if fail: raise ValueError("bad row")
    lock.release()
def first():
    try: rebuild(True)
    except ValueError: pass
f = threading.Thread(target=first, name="first"); f.start(); f.join()
ts = [threading.Thread(target=rebuild, name=f"worker-{i}") for i in range(3)]
[t.start() for t in ts]; [t.join() for t in ts]
