"""A worker fails now and then and is replaced at once: nobody waits for long."""

import queue
import threading
import time

jobs, done = queue.Queue(), queue.Queue()


def work():
    while (job := jobs.get()) is not None:
        time.sleep(0.004)
        if job % 40 == 39:
            done.put(-1)
            raise RuntimeError("bad record")
        done.put(job)


def supervise(stop):
    threads = []
    while not stop.is_set():
        threads = [t for t in threads if t.is_alive()]
        while len(threads) < 3:
            threads.append(threading.Thread(target=work, name="worker", daemon=True))
            threads[-1].start()
        stop.wait(0.05)
    for _ in threads:
        jobs.put(None)


threading.excepthook = lambda args: None
stop = threading.Event()
boss = threading.Thread(target=supervise, args=(stop,), name="supervisor")
boss.start()
for n in range(600):
    jobs.put(n)
    time.sleep(0.003)
print(sum(done.get() >= 0 for _ in range(600)))
stop.set()
boss.join()
