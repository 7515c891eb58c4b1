"""The thread of redis's pubsub stores each order itself; cancellations come late
(https://github.com/aio-libs-abandoned/aioredis-py/issues/815 is of the same kind).
truth: the thread is asleep in `on_order` for 1.8 s; `on_cancel` hears of all 1 s too late."""
import os
import time

import redis

client = redis.Redis.from_url(os.environ["REDIS_URL"])
late = []


def on_order(message):
    time.sleep(0.15)


def on_cancel(message):
    late.append(time.time() - float(message["data"]))


subscriber = client.pubsub(ignore_subscribe_messages=True)
subscriber.subscribe(orders=on_order, cancels=on_cancel)
thread = subscriber.run_in_thread(sleep_time=0.5)
for number in range(12):
    client.publish("orders", number)
    client.publish("cancels", time.time())
    time.sleep(0.05)
time.sleep(1.8)
thread.stop()
thread.join()
print("truth: late by", max(late))
