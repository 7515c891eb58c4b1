"""Crawlers find work for each other under a condition; when there is none, all give up and end."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

todo, changed = [3, 3], threading.Condition()


def next_page():
    with changed:
        while not todo:
            if not changed.wait(0.4):
                return None
        return todo.pop()


def crawl():
    pages = 0
    while (depth := next_page()) is not None:
        time.sleep(0.03)
        pages += 1
        with changed:
            todo.extend([depth - 1] * 2 if depth else [])
            changed.notify(2)
    return pages


with ThreadPoolExecutor(4, thread_name_prefix="crawler") as pool:
    crawlers = [pool.submit(crawl) for _ in range(4)]
print(sum(one.result() for one in crawlers))
