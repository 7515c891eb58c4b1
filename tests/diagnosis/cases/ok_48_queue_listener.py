"""CLEAN: threads log into an unbounded queue; one listener writes the records to a file."""
import logging
import logging.handlers
import queue
import tempfile
import threading
import time

records = queue.Queue()
file = logging.FileHandler(tempfile.mktemp())
listener = logging.handlers.QueueListener(records, file)
log = logging.getLogger("app")
log.setLevel(logging.INFO)
log.propagate = False
log.addHandler(logging.handlers.QueueHandler(records))


def handle(number):
    for step in range(30):
        time.sleep(0.005)
        log.info("request %s, step %s", number, step)


listener.start()
threads = [threading.Thread(target=handle, args=(n,)) for n in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
listener.stop()
