"""Threads put readings into a queue without bound, and the only writer is slower
(https://github.com/reddit/baseplate.py/issues/302).
truth: `work` grows to about 500 items in 2 s; `writer` needs 10 ms for each in `store`, 350 come per second."""
import queue
import threading
import time

work = queue.Queue()
stop = threading.Event()


def consume():
    n = 0
    while not stop.wait(0.011):
        work.put(n)
        n += 1


def store(item):
    time.sleep(0.01)


def writer():
    while (item := work.get()) is not None:
        store(item)


threads = [threading.Thread(target=consume, name=f"kombu-{n}") for n in range(4)]
last = threading.Thread(target=writer, name="writer", daemon=True)
for thread in (*threads, last):
    thread.start()
time.sleep(2)
stop.set()
for thread in threads:
    thread.join()
print("truth", work.qsize(), "items wait")
