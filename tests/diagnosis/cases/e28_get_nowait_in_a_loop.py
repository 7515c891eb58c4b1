"""A thread asks an empty queue again and again
(https://github.com/python/cpython/issues/81226).
truth: `consume` calls get_nowait for 1.5 s; 20 items come, one each 70 ms."""
import queue
import threading
import time

items = queue.Queue()
done = False


def consume():
    while not done:
        try:
            items.get_nowait()
        except queue.Empty:
            continue


consumer = threading.Thread(target=consume, name="consumer")
consumer.start()
for n in range(20):
    time.sleep(0.07)
    items.put(n)
done = True
consumer.join()
