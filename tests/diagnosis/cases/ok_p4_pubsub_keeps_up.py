"""Healthy: the handler of redis's pubsub is quick; a list of jobs is handled as they come."""
import os
import time

import redis

client = redis.Redis.from_url(os.environ["REDIS_URL"])
got = []
subscriber = client.pubsub(ignore_subscribe_messages=True)
subscriber.subscribe(prices=got.append)
thread = subscriber.run_in_thread(sleep_time=0.5)
for number in range(60):
    client.publish("prices", number)
    time.sleep(0.03)
thread.stop()
thread.join()
