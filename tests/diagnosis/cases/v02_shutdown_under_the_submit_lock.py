"""The queue of jobs keeps its lock while it shuts its executor down, and a running job adds
another one (https://github.com/rohanpm/more-executors/issues/98).
truth: MainThread waits for the executor in `close` with the lock; `crawl` waits 1.8 s in `add`
for that lock."""
import threading
import time
from concurrent.futures import ThreadPoolExecutor


class Jobs:
    def __init__(self):
        self._lock = threading.Lock()
        self._executor = ThreadPoolExecutor(3, thread_name_prefix="crawler")
        self._closed = False
        self.dropped = []

    def add(self, function, *arguments):
        if not self._lock.acquire(timeout=1.8):
            self.dropped.append(arguments)
            return
        try:
            if not self._closed:
                self._executor.submit(function, *arguments)
        finally:
            self._lock.release()

    def close(self):
        with self._lock:
            self._closed = True
            self._executor.shutdown(wait=True)


jobs = Jobs()
pages = []


def crawl(page):
    time.sleep(0.02)
    pages.append(page)
    if page % 3 == 0:
        jobs.add(crawl, page + 1)


def main():
    for page in range(0, 60, 2):
        jobs.add(crawl, page)
        time.sleep(0.01)
    time.sleep(0.1)
    jobs.add(crawl, 300)
    jobs.add(crawl, 303)
    since = time.monotonic()
    jobs.close()
    print("truth", len(pages), jobs.dropped, f"closed after {time.monotonic() - since:.2f} s")


main()
