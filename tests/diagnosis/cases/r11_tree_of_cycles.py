"""A parser makes millions of objects in cycles; each full collection stops all other threads
(https://github.com/LMCache/LMCache/pull/4245).
truth: collections in `parse` take a large part of its time; 3 threads `web` wait for the GIL meanwhile."""
import threading
import time


class Node:
    def __init__(self, parent):
        self.parent, self.children = parent, []
        if parent:
            parent.children.append(self)


kept = []


def parse(documents):
    for _ in range(documents):
        root = Node(None)
        for _ in range(60_000):
            Node(root)
        kept.append(root)


def serve(until):
    while time.monotonic() < until:
        sum(range(500))
        time.sleep(0.001)


until = time.monotonic() + 2
threads = [threading.Thread(target=serve, args=(until,), name=f"web-{n}") for n in range(3)]
threads.append(threading.Thread(target=parse, args=(12,), name="parser"))
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
