"""Requests ask redis for the result of a job, again and again, without a pause.
truth: the `web_N` poll in `wait_for_result`."""
import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import redis

CLIENT = redis.Redis.from_url(os.environ["REDIS_URL"])
STOP = threading.Event()


def worker():
    while not STOP.is_set():
        job = CLIENT.blpop("jobs", timeout=1)
        if job:
            number = json.loads(job[1])["n"]
            time.sleep(0.15)
            CLIENT.set(f"result:{number}", number * 2, ex=60)


def wait_for_result(n):
    while True:
        value = CLIENT.get(f"result:{n}")
        if value is not None:
            return int(value)


def request(n):
    CLIENT.rpush("jobs", json.dumps({"n": n}))
    return wait_for_result(n)


def main():
    workers = [threading.Thread(target=worker, name=f"worker-{n}") for n in range(3)]
    for thread in workers:
        thread.start()
    with ThreadPoolExecutor(4, "web") as pool:
        print(sum(pool.map(request, range(36))))
    STOP.set()
    for thread in workers:
        thread.join()


main()
