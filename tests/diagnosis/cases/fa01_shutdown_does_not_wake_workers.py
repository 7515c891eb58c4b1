"""shutdown() joins workers that nobody wakes: they find out only when their wait for work times out
(https://github.com/ftpsolutions/collapsing-thread-pool-executor/issues/3).
truth: MainThread waits 1.2 s in `shutdown` for `worker-0`, which stands in `Queue.get` in `Pool._work` until its time-out: shutdown puts nothing that would wake it."""
import queue
import threading
import time


class Pool:
    def __init__(self, size, idle_s):
        self.jobs, self.idle_s, self.stopped = queue.Queue(), idle_s, False
        self.threads = [threading.Thread(target=self._work, name=f"worker-{n}") for n in range(size)]
        for thread in self.threads:
            thread.start()

    def _work(self):
        while not self.stopped:
            try:
                job = self.jobs.get(timeout=self.idle_s)
            except queue.Empty:
                continue
            job()

    def submit(self, job):
        self.jobs.put(job)

    def shutdown(self):
        self.stopped = True
        for thread in self.threads:
            thread.join()


def compress():
    time.sleep(0.02)


def main():
    pool = Pool(3, 1.5)
    for _ in range(30):
        pool.submit(compress)
    time.sleep(0.3)
    begun = time.perf_counter()
    pool.shutdown()
    print(f"truth shutdown took {time.perf_counter() - begun:.2f} s")


main()
