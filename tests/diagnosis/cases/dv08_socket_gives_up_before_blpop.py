"""Workers pop from redis with a longer time-out than their socket has
(https://github.com/redis/redis-py/issues/583).
truth: BLPOP of 3 workers is cut off after 0.4 s each time, though it asked for 5 s."""

import os
import threading
import time

import redis

URL = os.environ["REDIS_URL"]
stop = threading.Event()
failures = 0


def handle(job):
    time.sleep(0.02)


def worker():
    global failures
    client = redis.Redis.from_url(URL, socket_timeout=0.4)
    while not stop.is_set():
        try:
            item = client.blpop(["jobs"], timeout=5)
        except redis.exceptions.TimeoutError:
            failures += 1
            continue
        if item:
            handle(item[1])


def produce():
    client = redis.Redis.from_url(URL)
    for number in range(4):
        client.rpush("jobs", f"job-{number}")
        time.sleep(1.5)


def main():
    redis.Redis.from_url(URL).delete("jobs")
    workers = [threading.Thread(target=worker, name=f"worker-{n}") for n in range(3)]
    for thread in workers:
        thread.start()
    produce()
    stop.set()
    for thread in workers:
        thread.join()
    print("time-outs:", failures)


main()
