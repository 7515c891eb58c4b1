"""Threads that fail between acquire and release lose the permits of a semaphore.
truth: two `upload` threads failed (ValueError in `check`) between acquire and release, so both permits of
`slots` are lost; the later uploads give up after 0.5 s in `acquire` (`upload`)."""
import threading
import time

slots = threading.BoundedSemaphore(2)
results = []


def check(name):
    if name.endswith(".exe"):
        raise ValueError(name)


def send(name):
    time.sleep(0.05)
    results.append(name)


def upload(name):
    if not slots.acquire(timeout=0.5):
        results.append("gave up " + name)
        return
    check(name)
    send(name)
    slots.release()


def stats(stop):
    while not stop.wait(0.25):
        sum(range(10_000))


threading.excepthook = lambda args: results.append("failed")
stop = threading.Event()
s = threading.Thread(target=stats, args=(stop,), name="stats")
s.start()
names = ["a.txt", "b.txt", "c.exe", "d.txt", "e.exe"] + [f"f{n}.txt" for n in range(8)]
threads = []
for n, name in enumerate(names):
    t = threading.Thread(target=upload, args=(name,), name=f"upload-{n}")
    t.start()
    threads.append(t)
    time.sleep(0.1)
for t in threads:
    t.join()
stop.set()
s.join()
print(results)
