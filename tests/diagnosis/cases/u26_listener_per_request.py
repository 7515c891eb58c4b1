"""A QueueListener is started for each request and never stopped
(Stack Overflow "QueueListener threads keep growing"; https://github.com/python/cpython/issues on logging.config listeners).
truth: `set_up_logging` starts 60 listener threads (_monitor) in 1.2 s; none ends."""
import logging
import logging.handlers
import queue
import threading
import time


def set_up_logging(n):
    records = queue.Queue()
    handler = logging.handlers.QueueHandler(records)
    listener = logging.handlers.QueueListener(records, logging.NullHandler())
    listener.start()
    log = logging.getLogger(f"request.{n}")
    log.addHandler(handler)
    return log


def handle(n):
    log = set_up_logging(n)
    log.warning("request %d", n)
    time.sleep(0.02)


for n in range(60):
    handle(n)
print(threading.active_count(), "threads")
