"""More threads than the pool of redis-py has connections: "Too many connections", and each falls back to the slow source
(https://github.com/redis/redis-py/issues/1372).
truth: 16 threads, 4 connections: 3 of 4 calls of `cached` fail at once (MaxConnectionsError) and go to `load_from_source`, 60 ms asleep each."""
import os
import threading
import time

import redis

client = redis.Redis(connection_pool=redis.ConnectionPool.from_url(os.environ["REDIS_URL"], max_connections=4))
failed = []


def load_from_source(key):
    time.sleep(0.06)
    return b"value"


def cached(key):
    try:
        return client.execute_command("BLPOP", "nothing-here", 0.05) or b""
    except redis.ConnectionError as error:
        failed.append(str(error))
        return load_from_source(key)


def serve():
    for n in range(12):
        cached(f"k{n}")


threads = [threading.Thread(target=serve, name=f"http-{n}") for n in range(16)]
begun = time.perf_counter()
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"truth {len(failed)} of 192 failed ({failed[:1]}), {time.perf_counter() - begun:.2f} s")
