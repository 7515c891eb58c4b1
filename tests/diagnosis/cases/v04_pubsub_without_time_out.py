"""A thread asks redis-py's pubsub for messages without a time-out, beside a working service
(get_message() returns at once by default).
truth: `listener` computes all the time in `listen`, in can_read."""
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import redis

URL = os.environ["REDIS_URL"]
STOP = threading.Event()
SEEN = []


def listen():
    pubsub = redis.Redis.from_url(URL).pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe("orders")
    while not STOP.is_set():
        message = pubsub.get_message()
        if message:
            SEEN.append(message["data"])


def order(client, n):
    client.set(f"order:{n}", n)
    client.publish("orders", n)
    return client.get(f"order:{n}")


def main():
    thread = threading.Thread(target=listen, name="listener")
    thread.start()
    client = redis.Redis.from_url(URL)
    end = time.monotonic() + 2
    with ThreadPoolExecutor(3, "web") as pool:
        n = 0
        while time.monotonic() < end:
            list(pool.map(lambda k: order(client, k), range(n, n + 6)))
            n += 6
            time.sleep(0.03)
    STOP.set()
    thread.join()


main()
