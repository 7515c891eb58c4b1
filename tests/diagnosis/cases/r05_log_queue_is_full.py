"""Requests wait for room in the queue of a log listener whose handler is slow
(https://github.com/mlflow/mlflow/pull/20577).
truth: 5 threads `req` wait in Queue.put in `handle`; the listener's thread sleeps 15 ms per record in `emit`."""
import logging
import logging.handlers
import queue
import threading
import time


class Remote(logging.Handler):
    def emit(self, record):
        time.sleep(0.015)


class Blocking(logging.handlers.QueueHandler):
    def enqueue(self, record):
        self.queue.put(record)


records = queue.Queue(5)
listener = logging.handlers.QueueListener(records, Remote())
log = logging.getLogger("shop")
log.addHandler(Blocking(records))
log.setLevel(logging.INFO)
listener.start()


def handle(number):
    for step in range(18):
        log.info("order %s step %s", number, step)


threads = [threading.Thread(target=handle, args=(n,), name=f"req-{n}") for n in range(5)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
listener.stop()
