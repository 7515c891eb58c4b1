"""A signal's handler wants the lock that the interrupted code has
(https://github.com/python/cpython/issues/126434).
truth: MainThread has `Stats._lock` in `add`; `on_alarm` calls `snapshot`, which wants it and gives up after 1 s."""
import signal
import threading
import time


class Stats:
    def __init__(self):
        self._lock = threading.Lock()
        self.counts = {}

    def add(self, key):
        with self._lock:
            self.counts[key] = self.counts.get(key, 0) + 1
            time.sleep(0.05)

    def snapshot(self):
        if self._lock.acquire(timeout=1):
            try:
                return dict(self.counts)
            finally:
                self._lock.release()
        return {}


stats = Stats()


def on_alarm(signum, frame):
    print(stats.snapshot())


def main():
    signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.12)
    for number in range(6):
        stats.add(number)


main()
