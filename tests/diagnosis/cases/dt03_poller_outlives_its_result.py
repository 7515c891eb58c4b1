"""A result that is polled comes by a notification; its poller still sleeps, and the program cannot end before it wakes
(https://github.com/civisanalytics/civis-python/pull/45).
truth: the program is done after 0.5 s; the interpreter then waits 2.5 s for the pool's worker, asleep in `poll`.
"""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor


class Run(Future[str]):
    def __init__(self, interval: float) -> None:
        super().__init__()
        self.interval = interval
        ThreadPoolExecutor(1).submit(self.poll)

    def poll(self) -> None:
        while not self.done():
            time.sleep(self.interval)


def notify(run: Run) -> None:
    time.sleep(0.5)
    run.set_result("succeeded")


run = Run(3)
threading.Thread(target=notify, args=(run,), name="notifications").start()
print(run.result())
