"""CLEAN: a reader fills a bounded queue faster than the two writers empty it, as it should."""
import queue
import threading
import time

lines = queue.Queue(10)


def read():
    for number in range(100):
        lines.put(number)
    for _ in range(2):
        lines.put(None)


def write():
    while lines.get() is not None:
        time.sleep(0.015)


threads = [threading.Thread(target=read, name="reader")]
threads += [threading.Thread(target=write, name=f"writer-{n}") for n in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
