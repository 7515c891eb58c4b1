"""A greenlet fails before it marks its item as done, and the queue's join waits on
(after reports of crawlers that never finish).
truth: the main greenlet waits 1.2 s in `join` in `crawl` in vain; `fetch` of one page failed before `task_done`."""
import gevent
from gevent.queue import JoinableQueue

pages = JoinableQueue()


def fetch(page):
    gevent.sleep(0.01)
    if page == 7:
        raise ValueError(page)


def worker():
    while True:
        page = pages.get()
        try:
            fetch(page)
        except ValueError:
            continue
        pages.task_done()


def crawl(count):
    for page in range(count):
        pages.put(page)
    workers = [gevent.spawn(worker) for _ in range(3)]
    pages.join(timeout=1.2)
    gevent.killall(workers)


crawl(12)
