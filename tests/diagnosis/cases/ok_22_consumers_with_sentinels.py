"""CLEAN: three consumers wait for work that comes now and then; sentinels end them."""
import queue
import threading
import time

work = queue.Queue()


def consume():
    while work.get() is not None:
        time.sleep(0.01)


threads = [threading.Thread(target=consume, name=f"consumer-{n}") for n in range(3)]
for thread in threads:
    thread.start()
for n in range(20):
    work.put(n)
    time.sleep(0.05)
for _ in threads:
    work.put(None)
for thread in threads:
    thread.join()
