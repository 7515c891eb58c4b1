"""A worker process crashes while it has a redis lock; the next one waits until the lock expires
(https://github.com/permitio/opal/pull/345).
truth: MainThread polls for the lock `clone` for 1.5 s in `update_policies` in vain: `cloner`, which took it in `clone`, ended with exit code 11 at 0.2 s and never released it."""
import multiprocessing
import os
import time

import redis


def clone(url):
    client = redis.Redis.from_url(url)
    client.lock("clone", timeout=30).acquire()
    time.sleep(0.2)
    os._exit(11)


def update_policies(client):
    lock = client.lock("clone", timeout=30)
    begun = time.perf_counter()
    if not lock.acquire(blocking_timeout=1.5):
        print(f"truth no lock after {time.perf_counter() - begun:.2f} s")


if __name__ == "__main__":
    url = os.environ["REDIS_URL"]
    client = redis.Redis.from_url(url)
    cloner = multiprocessing.get_context("fork").Process(target=clone, args=(url,), name="cloner")
    cloner.start()
    cloner.join()
    update_policies(client)
