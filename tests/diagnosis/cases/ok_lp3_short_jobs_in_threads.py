"""HEALTHY: short jobs that sleep once each: in an executor, and of a queue's workers."""
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor


def ask(n):
    time.sleep(0.001)
    return n


def work(jobs):
    while (job := jobs.get()) is not None:
        ask(job)


with ThreadPoolExecutor(3) as pool:
    print(sum(pool.map(ask, range(2000))))
todo = queue.Queue()
for n in [*range(2000), None, None, None]:
    todo.put(n)
workers = [threading.Thread(target=work, args=(todo,)) for _ in range(3)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
