"""Healthy: a redis worker waits for jobs on all its queues at once; jobs come now and then."""
import os
import threading
import time

import redis

URL = os.environ["REDIS_URL"]


def worker() -> None:
    client = redis.Redis.from_url(URL)
    while True:
        job = client.blpop(["high", "low"], timeout=5)
        if job is None or job[1] == b"stop":
            return
        time.sleep(0.02)


def main() -> None:
    client = redis.Redis.from_url(URL)
    client.flushdb()
    thread = threading.Thread(target=worker, name="worker")
    thread.start()
    for number in range(8):
        time.sleep(0.2)
        client.rpush("low", f"job {number}")
    client.rpush("low", "stop")
    thread.join()


main()
