"""A queue with priorities has one worker: what is urgent waits until the long job is done that
began before.

After https://github.com/rq/rq/issues/1420
"""
import itertools
import queue
import threading
import time
from concurrent.futures import Future

jobs, order = queue.PriorityQueue(), itertools.count()


def submit(priority, seconds):
    done = Future()
    jobs.put((priority, next(order), seconds, done))
    return done


def run_jobs():
    while True:
        _, _, seconds, done = jobs.get()
        if seconds is None:
            return
        time.sleep(seconds)
        done.set_result(None)


def rebuild_index():
    for _ in range(3):
        submit(9, 0.7).result()


def send_alarm(n):
    time.sleep(0.2 + n * 0.35)
    submit(1, 0.005).result()


worker = threading.Thread(target=run_jobs, name="job-worker")
worker.start()
threads = [threading.Thread(target=rebuild_index, name="rebuild")]
threads += [threading.Thread(target=send_alarm, args=(n,), name=f"alarm-{n}") for n in range(5)]
for t in threads:
    t.start()
for t in threads:
    t.join()
jobs.put((10, next(order), None, None))
worker.join()
