"""A producer puts into a full queue while it has the lock that the consumer needs
(https://github.com/pika/pika/pull/1651).
truth: `producer` has `state_lock` and waits in Queue.put in `publish`; `consumer` waits for the lock in `handle`; 1.2 s."""
import queue
import threading
import time

state_lock = threading.Lock()
channel = queue.Queue(2)
state = {"sent": 0, "seen": 0}


def publish(item):
    with state_lock:
        state["sent"] += 1
        try:
            channel.put(item, timeout=1.2)
        except queue.Full:
            print("full")


def handle(item):
    with state_lock:
        state["seen"] += 1


def consume():
    while (item := channel.get()) is not None:
        time.sleep(0.01)
        handle(item)


consumer = threading.Thread(target=consume, name="consumer")
consumer.start()
producer = threading.Thread(target=lambda: [publish(n) for n in range(8)], name="producer")
producer.start()
producer.join()
channel.put(None)
consumer.join()
