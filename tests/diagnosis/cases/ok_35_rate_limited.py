"""CLEAN: a bounded queue slows a producer down to the pace of its consumer, thread to thread."""
import queue
import threading
import time

work = queue.Queue(4)


def produce():
    for n in range(40):
        work.put(n)
    work.put(None)


def consume():
    while work.get() is not None:
        time.sleep(0.03)


threads = [threading.Thread(target=produce, name="producer"), threading.Thread(target=consume, name="consumer")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
