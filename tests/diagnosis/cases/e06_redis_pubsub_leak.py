"""A PubSub that is never closed keeps its connection (https://github.com/redis/redis-py/issues/555).
truth: 3 connections were taken by `listen`; 3 threads wait in vain in `publish`, 1 s each."""
import os
import threading

import redis

pool = redis.BlockingConnectionPool.from_url(
    os.environ["REDIS_URL"], max_connections=3, timeout=1
)
client = redis.Redis(connection_pool=pool)
kept = []


def listen(channel):
    subscription = client.pubsub()
    subscription.subscribe(channel)
    subscription.get_message(timeout=0.2)
    subscription.unsubscribe(channel)
    kept.append(subscription)


def publish(n):
    try:
        client.publish("news", n)
    except redis.ConnectionError:
        print("truth: no connection")


for work, name in ((listen, "listener"), (publish, "publisher")):
    threads = [threading.Thread(target=work, args=(n,), name=f"{name}-{n}") for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
