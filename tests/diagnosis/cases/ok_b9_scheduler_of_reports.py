"""HEALTHY: a scheduler thread wakes for the next job, hands it to a pool that fits, and a lock is held
for moments; a rolling log is flushed twice a second; ends in order."""
import heapq
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

dice = random.Random(11)


class Scheduler:
    def __init__(self, pool):
        self.pool, self.heap, self.changed, self.stopped = pool, [], threading.Condition(), False

    def add(self, at, function):
        with self.changed:
            heapq.heappush(self.heap, (at, id(function), function))
            self.changed.notify()

    def stop(self):
        with self.changed:
            self.stopped = True
            self.changed.notify()

    def run(self):
        while True:
            with self.changed:
                while not self.stopped and (not self.heap or self.heap[0][0] > time.monotonic()):
                    left = self.heap[0][0] - time.monotonic() if self.heap else None
                    self.changed.wait(left)
                if self.stopped:
                    return
                _, _, function = heapq.heappop(self.heap)
            self.pool.submit(function)


def main():
    done, lock = [], threading.Lock()

    def report():
        time.sleep(0.01)
        with lock:
            done.append(time.monotonic())

    with ThreadPoolExecutor(6, thread_name_prefix="report") as pool:
        scheduler = Scheduler(pool)
        thread = threading.Thread(target=scheduler.run, name="scheduler")
        thread.start()
        for _ in range(120):
            scheduler.add(time.monotonic() + 0.05 + dice.random() / 3, lambda: report())
            time.sleep(0.012)
        time.sleep(0.5)
        scheduler.stop()
        thread.join()
    print(len(done))


main()
