"""Dozens of producer and consumer threads pass tiny messages: the more threads, the fewer messages a second
(https://github.com/pika/pika/issues/723).
truth: 48 threads do the work of one: they take turns at the GIL (and at the queue's lock) in `publish` and `consume`; fewer threads or processes."""
import json
import queue
import threading
import time

THREADS, MESSAGES = 24, 5000
broker = queue.Queue(maxsize=200)
seen = []


def publish(number):
    for n in range(MESSAGES):
        broker.put(json.dumps({"from": number, "n": n, "text": "Hello, World!"}))


def consume():
    count = 0
    while (message := broker.get()) is not None:
        count += len(json.loads(message)["text"]) > 0
    seen.append(count)


def main():
    begun = time.perf_counter()
    producers = [threading.Thread(target=publish, args=(n,), name=f"producer-{n}") for n in range(THREADS)]
    consumers = [threading.Thread(target=consume, name=f"consumer-{n}") for n in range(THREADS)]
    for thread in producers + consumers:
        thread.start()
    for thread in producers:
        thread.join()
    for _ in consumers:
        broker.put(None)
    for thread in consumers:
        thread.join()
    took = time.perf_counter() - begun
    print(f"truth {sum(seen)} messages in {took:.2f} s, {sum(seen) / took:.0f} a second, CPU {time.process_time():.2f} s")


main()
