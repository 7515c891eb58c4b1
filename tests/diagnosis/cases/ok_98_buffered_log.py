"""Healthy: a MemoryHandler in front of a file, six threads that log, a QueueListener for errors."""
import logging
import logging.handlers
import os
import queue
import tempfile
import threading
import time

path = os.path.join(tempfile.mkdtemp(), "app.log")
file = logging.FileHandler(path)
log = logging.getLogger("api")
log.addHandler(logging.handlers.MemoryHandler(100, target=file))
errors = queue.SimpleQueue()
raised = logging.handlers.QueueHandler(errors)
raised.setLevel(logging.ERROR)
log.addHandler(raised)
log.setLevel(logging.INFO)
listener = logging.handlers.QueueListener(errors, logging.FileHandler(path + ".errors"))
listener.start()


def handle(n):
    for k in range(40):
        time.sleep(0.02)
        log.log(logging.ERROR if k % 20 == 0 else logging.INFO, "client %d request %d", n, k)


threads = [threading.Thread(target=handle, args=(n,), name=f"request-{n}") for n in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
listener.stop()
