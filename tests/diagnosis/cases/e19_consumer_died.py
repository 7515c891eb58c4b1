"""The only consumer of a queue died of an exception; producers wait for room
(https://github.com/python/cpython/issues/91965).
truth: `uploader` ended by a KeyError; `scan` waits 1.2 s in put, in vain."""
import queue
import threading

jobs = queue.Queue(maxsize=5)


def upload():
    while True:
        job = jobs.get()
        print(job["path"])


def scan():
    for n in range(20):
        try:
            jobs.put({"path": n} if n < 3 else {}, timeout=1.2)
        except queue.Full:
            print("truth: full")
            return


threading.excepthook = lambda args: None
threading.Thread(target=upload, name="uploader", daemon=True).start()
scanner = threading.Thread(target=scan, name="scanner")
scanner.start()
scanner.join()
