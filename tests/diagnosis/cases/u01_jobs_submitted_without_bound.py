"""A listener submits a job for each event to an executor that is slower than the events come
(https://github.com/python/cpython/issues/73707).
truth: about 500 jobs of `thumbnail` are queued after 2 s: 2 workers do 100 a second, `on_event` submits 350."""
import threading
import time
from concurrent.futures import ThreadPoolExecutor

pool = ThreadPoolExecutor(2, thread_name_prefix="thumbs")


def thumbnail(name):
    time.sleep(0.02)


def on_event(n):
    pool.submit(thumbnail, f"photo-{n}.jpg")


def listen():
    end, n = time.monotonic() + 2, 0
    while time.monotonic() < end:
        on_event(n)
        n += 1
        time.sleep(0.0028)


listener = threading.Thread(target=listen, name="listener")
listener.start()
listener.join()
print("truth", pool._work_queue.qsize(), "jobs wait")
pool.shutdown(cancel_futures=True)
