"""HEALTHY: a redis lock that is held for a moment, and a subscriber that waits for messages."""
import os
import threading

import redis

client = redis.Redis.from_url(os.environ["REDIS_URL"])
seen = []


def subscribe(ready):
    with client.pubsub() as subscription:
        subscription.subscribe("news")
        ready.set()
        for message in subscription.listen():
            seen.append(message["data"])
            if message["data"] == b"stop":
                return


def work(n):
    for i in range(10):
        with client.lock(f"cart-{n}", timeout=5):
            client.incr(f"count-{n}")
        client.publish("news", f"{n}-{i}")


ready = threading.Event()
listener = threading.Thread(target=subscribe, args=(ready,), name="listener")
listener.start()
ready.wait()
threads = [threading.Thread(target=work, args=(n,), name=f"worker-{n}") for n in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
client.publish("news", "stop")
listener.join()
