"""HEALTHY: consumers look at a flag between two waits of 100 ms for an item; there is little to do."""
import queue
import threading
import time

jobs = queue.Queue()
stop = threading.Event()
done = []


def consume():
    while not stop.is_set():
        try:
            done.append(jobs.get(timeout=0.1))
        except queue.Empty:
            continue


threads = [threading.Thread(target=consume, name=f"consumer-{n}") for n in range(6)]
for thread in threads:
    thread.start()
for number in range(20):
    jobs.put(number)
    time.sleep(0.06)
stop.set()
for thread in threads:
    thread.join()
