"""Threads change one key of redis optimistically (WATCH, MULTI) and try again at once when another one was quicker
(after redis-py's documentation of pipelines and questions on WatchError).
truth: 8 `reserve-N` make 25 reservations each; each needs about 4 attempts, all failed ones with WatchError, without a pause."""
import os
import threading

import redis

client = redis.Redis.from_url(os.environ["REDIS_URL"])
lost = 0


def price(stock):
    total = 0
    for n in range(4000):
        total += n * stock
    return total


def reserve():
    global lost
    while True:
        with client.pipeline() as pipe:
            try:
                pipe.watch("stock")
                stock = int(pipe.get("stock"))
                price(stock)
                pipe.multi()
                pipe.set("stock", stock - 1)
                pipe.execute()
                return
            except redis.WatchError:
                lost += 1


def work(n):
    for _ in range(60):
        reserve()


def main():
    client.set("stock", 1000)
    threads = [threading.Thread(target=work, args=(n,), name=f"reserve-{n}") for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("truth lost attempts", lost, "stock", client.get("stock"))


main()
