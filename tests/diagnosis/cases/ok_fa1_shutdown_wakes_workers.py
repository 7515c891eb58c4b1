"""HEALTHY: a home-made pool whose shutdown puts one sentinel for each worker; all end at once."""
import queue
import threading
import time


class Pool:
    def __init__(self, size):
        self.jobs = queue.Queue()
        self.threads = [threading.Thread(target=self._work, name=f"worker-{n}") for n in range(size)]
        for thread in self.threads:
            thread.start()

    def _work(self):
        while True:
            try:
                job = self.jobs.get(timeout=1.5)
            except queue.Empty:
                continue
            if job is None:
                return
            job()

    def shutdown(self):
        for _ in self.threads:
            self.jobs.put(None)
        for thread in self.threads:
            thread.join()


def compress():
    time.sleep(0.02)


pool = Pool(3)
for burst in range(6):
    for _ in range(6):
        pool.jobs.put(compress)
    time.sleep(0.2)
pool.shutdown()
