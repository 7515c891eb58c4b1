"""A worker thread spins with time.sleep(0) until there is work (https://github.com/tkgstrator/Salmonia/pull/29,
https://github.com/ranaroussi/multitasking/pull/16).
truth: `Worker.run` calls time.sleep(0) 100,000s of times in 1.4 s and finds work 7 times; 100 % of a core, and
MainThread waits for the GIL."""
import threading
import time


class Worker(threading.Thread):
    def __init__(self):
        super().__init__(name="mailer")
        self.jobs = []
        self.stopped = False

    def run(self):
        while not self.stopped:
            if self.jobs:
                self.jobs.pop()
            time.sleep(0)


worker = Worker()
worker.start()
for n in range(7):
    time.sleep(0.2)
    worker.jobs.append(n)
worker.stopped = True
worker.join()
