"""Consumers in BLPOP have all connections of a pool (https://github.com/redis/go-redis/issues/1798).
truth: 2 connections, both in `consume` (blpop, 1 s); `set_status` waits 1 s for one, 3 threads."""
import os
import threading
import time

import redis

pool = redis.BlockingConnectionPool.from_url(os.environ["REDIS_URL"], max_connections=2, timeout=5)
client = redis.Redis(connection_pool=pool)


def consume(number):
    client.blpop(f"h09-jobs-{number}", timeout=1)


def set_status(number):
    client.set(f"h09-status-{number}", "busy", ex=5)


threads = [threading.Thread(target=consume, args=(n,), name=f"consumer-{n}") for n in range(2)]
for thread in threads:
    thread.start()
time.sleep(0.1)
others = [threading.Thread(target=set_status, args=(n,), name=f"web-{n}") for n in range(3)]
for thread in others:
    thread.start()
for thread in threads + others:
    thread.join()
