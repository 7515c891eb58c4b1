"""A long script keeps redis from answering anybody, since it runs one command at a time
(https://github.com/rails/rails/pull/32643).
truth: `clean_up` has a script run for 0.4 s, three times; 6 threads wait for it in `session`."""
import os
import threading
import time

import redis

client = redis.Redis.from_url(os.environ["REDIS_URL"], max_connections=20)
SCRIPT = """
local function now() local time = redis.call("TIME") return time[1] * 1000000 + time[2] end
local until_us = now() + 400000
while now() < until_us do end
return 1
"""
stop = threading.Event()


def session(number):
    while not stop.is_set():
        client.get(f"session:{number}")
        time.sleep(0.01)


def clean_up():
    for _ in range(3):
        client.eval(SCRIPT, 0)
        time.sleep(0.3)


threads = [threading.Thread(target=session, args=(n,), name=f"request-{n}") for n in range(6)]
for thread in threads:
    thread.start()
clean_up()
stop.set()
for thread in threads:
    thread.join()
