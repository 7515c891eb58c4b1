"""A long script keeps redis from answering anybody, since it runs one command at a time
(https://github.com/rails/rails/pull/32643).
truth: `clean_up` has a script run for 0.4 s, three times; 6 threads wait for it in `session`."""
import os
import threading
import time

import redis

client = redis.Redis.from_url(os.environ["REDIS_URL"], max_connections=20)
SCRIPT = "local n = 0 for i = 1, %d do n = n + i end return n"
stop = threading.Event()


def session(number):
    while not stop.is_set():
        client.get(f"session:{number}")
        time.sleep(0.01)


def clean_up(steps):
    for _ in range(3):
        client.eval(SCRIPT % steps, 0)
        time.sleep(0.3)


def steps_that_take(seconds):
    began = time.monotonic()
    client.eval(SCRIPT % 5_000_000, 0)
    return int(5_000_000 * seconds / (time.monotonic() - began))


steps = steps_that_take(0.4)
threads = [threading.Thread(target=session, args=(n,), name=f"request-{n}") for n in range(6)]
for thread in threads:
    thread.start()
clean_up(steps)
stop.set()
for thread in threads:
    thread.join()
