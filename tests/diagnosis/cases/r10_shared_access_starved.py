"""Exclusive users follow each other and go first; a reader waits for all of them
(https://github.com/luminousmen/grokking_concurrency/issues/1).
truth: `reader` waits some 1.2 s in Condition.wait in `enter_shared`; 3 threads `writer` sleep in `change`."""
import threading
import time


class SharedExclusive:
    def __init__(self):
        self.cond = threading.Condition()
        self.waiting = self.shared = 0
        self.exclusive = False

    def enter_shared(self):
        with self.cond:
            while self.exclusive or self.waiting:
                self.cond.wait()
            self.shared += 1

    def leave_shared(self):
        with self.cond:
            self.shared -= 1
            self.cond.notify_all()

    def enter_exclusive(self):
        with self.cond:
            self.waiting += 1
            while self.exclusive or self.shared:
                self.cond.wait()
            self.waiting -= 1
            self.exclusive = True

    def leave_exclusive(self):
        with self.cond:
            self.exclusive = False
            self.cond.notify_all()


gate = SharedExclusive()


def change(until):
    while time.monotonic() < until:
        gate.enter_exclusive()
        time.sleep(0.08)
        gate.leave_exclusive()


def show():
    gate.enter_shared()
    gate.leave_shared()


until = time.monotonic() + 1.3
threads = [threading.Thread(target=change, args=(until,), name=f"writer-{n}") for n in range(3)]
for thread in threads:
    thread.start()
time.sleep(0.1)
reader = threading.Thread(target=show, name="reader")
reader.start()
for thread in [*threads, reader]:
    thread.join()
