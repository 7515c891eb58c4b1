"""Workers die of exceptions one by one; then nobody empties the queue.
After https://github.com/seung-lab/cloud-volume/issues/80. `MainThread` waits in `feed` for
room in the queue, 1.5 s in vain: all three `fetcher-N` had failed (ValueError) in `parse`."""

import queue
import sys
import threading
import time

todo = queue.Queue(4)
seen = []


def parse(item):
    if item % 5 == 4:
        raise ValueError(item)
    return item * 2


def fetch():
    while True:
        item = todo.get()
        time.sleep(0.03)
        seen.append(parse(item))
        todo.task_done()


def watch(stop):
    while not stop.wait(0.15):
        print(len(seen), "done", file=sys.stderr)


def feed(items):
    for n, item in enumerate(items):
        try:
            todo.put(item, timeout=1.5)
        except queue.Full:
            return n
    return len(items)


threading.excepthook = lambda args: None
stop = threading.Event()
threading.Thread(target=watch, args=(stop,), name="watch").start()
for n in range(3):
    threading.Thread(target=fetch, name=f"fetcher-{n}", daemon=True).start()
print("gave up after", feed(range(40)), "items")
stop.set()
