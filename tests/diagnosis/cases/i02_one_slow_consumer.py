"""Requests wait for room in the queue of an audit log, whose only writer is slow
(https://github.com/fluent/fluent-logger-python/issues/178).
truth: 8 threads wait some 2 s each in `Queue.put` in `handle`; `audit-writer` sleeps 20 ms per item."""
import queue
import threading
import time

records = queue.Queue(4)


def write_audit():
    while records.get() is not None:
        send()


def send():
    time.sleep(0.02)


def handle(number):
    for step in range(12):
        records.put((number, step))


writer = threading.Thread(target=write_audit, name="audit-writer")
writer.start()
threads = [threading.Thread(target=handle, args=(n,), name=f"web-{n}") for n in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
records.put(None)
writer.join()
