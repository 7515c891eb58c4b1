"""Thumbnails wait for a pool of two that the program made of a list and a condition.
After reports such as https://github.com/rwth-i6/sisyphus/pull/172 of pools made by hand.

truth: 8 requests wait for one of 2 workers `thumb-N`, asleep in `resize` for 100 ms each."""
import threading, time
class Pool:
    def __init__(self, n):
        self.jobs, self.cond = [], threading.Condition()
        for i in range(n):
            threading.Thread(target=self.run, name=f"thumb-{i}", daemon=True).start()
    def run(self):
        while True:
            with self.cond:
                while not self.jobs:
                    self.cond.wait()
                fn, done = self.jobs.pop(0)
            fn()
            done.set()
    def call(self, fn):
        done = threading.Event()
        with self.cond:
            self.jobs.append((fn, done))
            self.cond.notify()
        done.wait()
def resize():
    time.sleep(0.1)
pool = Pool(2)
def request():
    for _ in range(3):
        pool.call(resize)
ts = [threading.Thread(target=request, name=f"req-{i}") for i in range(8)]
for t in ts: t.start()
for t in ts: t.join()
