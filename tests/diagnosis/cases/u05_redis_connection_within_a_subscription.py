"""Listeners keep a connection for their subscription and need another one for each message
(https://github.com/redis/redis-py/issues/2755).
truth: 3 threads in `listen` have all 3 connections; each waits in `mark_read` for a fourth for 1 s, in vain."""
import os
import threading
import time

import redis

pool = redis.BlockingConnectionPool.from_url(os.environ["REDIS_URL"], max_connections=3, timeout=1)
client = redis.Redis(connection_pool=pool)
ready = threading.Barrier(4)


def mark_read(name):
    try:
        client.incr(f"read:{name}")
    except redis.ConnectionError:
        return "no connection"


def listen(name):
    inbox = client.pubsub()
    inbox.subscribe("news")
    inbox.get_message(timeout=2)
    ready.wait()
    for message in inbox.listen():
        if message["type"] == "message":
            print("truth", mark_read(name))
            break


threads = [threading.Thread(target=listen, args=(f"user-{n}",), name=f"listener-{n}") for n in range(3)]
for thread in threads:
    thread.start()
ready.wait()
time.sleep(0.1)
redis.Redis.from_url(os.environ["REDIS_URL"]).publish("news", "hello")
for thread in threads:
    thread.join()
