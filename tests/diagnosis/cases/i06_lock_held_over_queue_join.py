"""`flush` joins a queue while it has the lock that the worker needs for each item
(https://github.com/logdna/python/pull/75).
truth: MainThread waits in Queue.join in `flush` with the lock; `sender` waits for it in `deliver`."""
import queue
import threading

lock, items = threading.Lock(), queue.Queue()


def deliver():
    while True:
        items.get()
        if lock.acquire(timeout=1.2):
            lock.release()
        items.task_done()


def flush():
    with lock:
        items.put("last")
        items.join()


threading.Thread(target=deliver, name="sender", daemon=True).start()
flush()
