"""Each subscriber gets a thread of redis-py that looks for messages every millisecond
(https://github.com/redis/redis-py/issues/821).
truth: 12 threads wait 1 ms at a time in `recv`, in vain."""

import os
import time

import redis

URL = os.environ["REDIS_URL"]
received = []


def on_price(message):
    received.append(message["data"])


def subscribe(client, symbol):
    pubsub = client.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe(**{f"price:{symbol}": on_price})
    return pubsub.run_in_thread(sleep_time=0.001)


def compute_index(prices):
    total = 0
    for round_number in range(60):
        total += sum(price * round_number % 97 for price in prices)
    return total


def main():
    client = redis.Redis.from_url(URL)
    threads = [subscribe(client, symbol) for symbol in range(12)]
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        client.publish("price:3", "101")
        compute_index(range(500))
        time.sleep(0.5)
    for thread in threads:
        thread.stop()
    for thread in threads:
        thread.join()
    print(len(received), "prices")


main()
