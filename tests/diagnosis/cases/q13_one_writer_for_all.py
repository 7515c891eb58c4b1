"""All requests hand their writes to an executor with one thread and wait for the result
(after reports of slow writes behind one database thread).
truth: 6 threads `web-N` wait in Future.result in `handle` behind `write` (60 ms asleep) in the only thread of `db-writer`."""
import threading
import time
from concurrent.futures import ThreadPoolExecutor

writer = ThreadPoolExecutor(1, "db-writer")


def write(row):
    time.sleep(0.06)
    return row


def handle(number):
    for step in range(4):
        writer.submit(write, (number, step)).result()


threads = [threading.Thread(target=handle, args=(n,), name=f"web-{n}") for n in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
writer.shutdown()
