"""Healthy: a poller pauses between two items until it is stopped; the consumer is idle."""
import queue
import threading
import time

stop, items = threading.Event(), queue.Queue()


def poll():
    count = 0
    while not stop.wait(0.25):
        count += 1
        items.put(count)
    items.put(None)


def consume():
    while items.get() is not None:
        pass


threads = [threading.Thread(target=poll), threading.Thread(target=consume)]
for thread in threads:
    thread.start()
time.sleep(2.5)
stop.set()
for thread in threads:
    thread.join()
