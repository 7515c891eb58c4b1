"""Healthy: workers pop from redis for a second at a time, and a listener waits for messages."""

import os
import threading
import time

import redis

URL = os.environ["REDIS_URL"]
stop = threading.Event()
handled, seen = [], []


def worker():
    client = redis.Redis.from_url(URL, socket_timeout=5)
    while not stop.is_set():
        item = client.blpop(["orders"], timeout=1)
        if item:
            time.sleep(0.03)
            handled.append(item[1])


def main():
    client = redis.Redis.from_url(URL)
    client.delete("orders")
    workers = [threading.Thread(target=worker, name=f"worker-{n}") for n in range(4)]
    for thread in workers:
        thread.start()
    pubsub = client.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe(events=lambda message: seen.append(message["data"]))
    listener = pubsub.run_in_thread(sleep_time=0.5)
    for number in range(16):
        client.rpush("orders", number)
        client.publish("events", number)
        time.sleep(0.25)
    stop.set()
    listener.stop()
    listener.join()
    for thread in workers:
        thread.join()
    print(len(handled), "orders", len(seen), "events")


main()
