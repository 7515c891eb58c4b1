"""Workers poll a lock in redis while its owner does something slow
(https://github.com/redis/redis-py/issues/1181).
truth: 3 workers wait up to 1 s in `Lock.acquire` of `rebuild`, by sleep; the owner sleeps 0.3 s."""
import os
import threading
import time

import redis


def rebuild():
    client = redis.Redis.from_url(os.environ["REDIS_URL"])
    with client.lock("rebuild-index", timeout=10):
        time.sleep(0.3)


threads = [threading.Thread(target=rebuild, name=f"worker-{n}") for n in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
